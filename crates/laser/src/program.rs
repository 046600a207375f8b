//! The program `laser`: from its arguments to its exit code.

use crate::cli::{Cli, Command, EXAMPLES};
use crate::{commands, output, stopped};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::io::IsTerminal;

pub use crate::out_of_memory::Reporting;

/// It failed: one line on standard error says why.
const FAILED: u8 = 1;
/// It was asked for something that cannot be.
const USAGE: u8 = 2;

/// Runs the program, and gives its exit code. The first of `arguments` is its own name.
pub fn main(arguments: &[OsString]) -> u8 {
    hush_caught_panics();
    if arguments.len() == 1 {
        return exit_code(output::print(&first_words()), None);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let why = output::usage_line(&error, &Cli::command(), arguments.get(1..).unwrap_or_default());
            output::complain(&format!("error: {why}"));
            return USAGE;
        }
        Err(help) => return exit_code(print_help(&help), None),
    };
    if let Err(why) = laser_guard::check_limits() {
        output::complain(&format!("error: {why}"));
        return USAGE;
    }
    exit_code(run(&cli, arguments.get(1..).unwrap_or_default()), Some(&cli.command))
}

/// What is said to someone who types `laser` alone.
fn first_words() -> String {
    let command = Cli::command();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    format!("{about}.\n\n{EXAMPLES}\n\nlaser --help has all commands, laser doctor what this machine has.\n")
}

/// From now on a panic that is caught, in a library that reads a damaged file, prints nothing.
pub fn hush_caught_panics() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !laser_guard::panics_are_caught() {
            hook(panic);
        }
    }));
}

/// Help or version.
fn print_help(help: &clap::Error) -> anyhow::Result<()> {
    let text = help.render();
    let in_colour = std::io::stdout().is_terminal() && output::colour_width().is_some();
    output::print_coloured(&if in_colour { text.ansi().to_string() } else { text.to_string() })
}

fn exit_code(done: anyhow::Result<()>, command: Option<&Command>) -> u8 {
    match done {
        Ok(()) => 0,
        Err(error) if output::is_broken_pipe(&error) => 0,
        Err(error) => {
            stopped::give_way();
            if let Some(code) = command.and_then(stopped::rested) {
                return code;
            }
            output::complain(&output::error_line(&error));
            if error.is::<output::Usage>() { USAGE } else { FAILED }
        }
    }
}

fn run(cli: &Cli, words: &[OsString]) -> anyhow::Result<()> {
    stopped::watch(&cli.command)?;
    cli.global.start_threads()?;
    match &cli.command {
        Command::Eval(options) => commands::eval::run(options, &cli.global),
        Command::Search(options) => commands::search::run(options, words, &cli.global),
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
        Command::Sokoban(options) => commands::sokoban::run(&options.command, &cli.global),
        Command::Tasks(options) => commands::tasks::run(options, &cli.global),
        Command::Doctor(options) => commands::doctor::run(options, &cli.global),
        Command::Completions(options) => commands::completions::run(options, &cli.global),
        Command::Man(options) => commands::man::run(options, &cli.global),
    }
}
