//! The `laser` binary.

mod bar;
mod cli;
mod commands;
mod out_of_memory;
mod output;
mod output_place;
mod stopped;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use std::io::IsTerminal;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: out_of_memory::Reporting = out_of_memory::Reporting;

fn main() -> ExitCode {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !laser_guard::panics_are_caught() {
            hook(panic);
        }
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            output::complain(&output::usage_line(&error, &Cli::command()));
            return ExitCode::from(2);
        }
        Err(help) => return exit_code(print_help(&help)),
    };
    if let Err(why) = laser_guard::check_limits() {
        output::complain(&format!("error: {why}"));
        return ExitCode::from(2);
    }
    exit_code(run(&cli))
}

/// Help or version.
fn print_help(help: &clap::Error) -> anyhow::Result<()> {
    let text = help.render();
    let in_colour = std::io::stdout().is_terminal() && output::colour_width().is_some();
    output::print_coloured(&if in_colour { text.ansi().to_string() } else { text.to_string() })
}

fn exit_code(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            stopped::give_way();
            output::complain(&output::error_line(&error));
            if error.is::<output::Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    stopped::watch(&cli.command)?;
    cli.global.start_threads()?;
    match &cli.command {
        Command::Eval(options) => commands::eval::run(options, &cli.global),
        Command::Search(options) => commands::search::run(options, &cli.global),
        Command::Merge(options) => commands::merge::run(options, &cli.global),
        Command::Fleet(options) => commands::fleet::run(options, &cli.global),
        Command::Apply(options) => commands::apply::run(options, &cli.global),
        Command::Chat(options) => commands::chat::run(options, &cli.global),
        Command::Compare(options) => commands::compare::run(options, &cli.global),
        Command::Inspect(options) => commands::inspect::run(options, &cli.global),
        Command::Demo(options) => commands::demo::run(options, &cli.global),
        Command::Front(options) => commands::front::run(options, &cli.global),
        Command::Verdict(options) => commands::verdict::run(options, &cli.global),
        Command::Analyze(options) => commands::analyze::run(options, &cli.global),
        Command::Report(options) => commands::report::run(options, &cli.global),
        Command::Tasks(options) => commands::tasks::run(options, &cli.global),
    }
}
