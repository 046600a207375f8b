//! The `laser` binary.

mod bar;
mod cli;
mod commands;
mod output;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

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
            output::complain(&output::usage_line(&error));
            return ExitCode::from(2);
        }
        Err(help) => {
            // Help and version: printing them fails only on a broken pipe.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&output::error_line(&error));
            if error.is::<output::Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    cli.global.start_threads()?;
    match &cli.command {
        Command::Eval(options) => commands::eval::run(options, &cli.global),
        Command::Search(options) => commands::search::run(options, &cli.global),
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
