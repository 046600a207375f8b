//! What goes to standard output, and how errors are worded.

use anyhow::Context;
use laser_report::{visible, visible_json};
use serde::Serialize;
use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Prints one JSON document.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = visible_json(&serde_json::to_string_pretty(value)?);
    text.push('\n');
    print_coloured(&text)
}

/// Prints text. Whatever is in it, from whichever file, is only text to a terminal.
pub fn print(text: &str) -> anyhow::Result<()> {
    print_coloured(&visible(text))
}

/// Prints text of this program's own making as it is: colours are escapes.
pub fn print_coloured(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.context("standard output cannot be written: make room where it goes, or give another place")
}

/// A path as JSON has it; bytes that are not UTF-8 become U+FFFD.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// How wide a terminal standard output is, where it shows colours: none where it is not a terminal, and where the user wants none
/// (`NO_COLOR`, `TERM=dumb`).
pub fn colour_width() -> Option<usize> {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if unwanted || dumb || !io::stdout().is_terminal() {
        return None;
    }
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(width.0.into())
}

/// Seconds in the unit that a person would say them in.
pub fn duration(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{} s", seconds.ceil()),
        ..5400.0 => format!("{} min", (seconds / 60.0).round()),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Makes a folder for files.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path)
        .with_context(|| format!("{}: the folder cannot be made: choose another", path.display()))
}

/// Prints lines on standard error; if nobody reads them, so be it.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(text));
}

/// Asks for a line on standard error; if nobody reads it, so be it.
pub fn ask(prompt: &str) {
    let mut stderr = io::stderr();
    let _ = stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush());
}

/// Something that cannot be asked for: exit code 2.
#[derive(Debug)]
pub struct Usage(pub Cow<'static, str>);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Whether the reader of standard output went away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The whole chain of an error on one line.
pub fn error_line(error: &anyhow::Error) -> String {
    let mut line = "error".to_owned();
    for cause in error.chain().map(ToString::to_string) {
        // Some messages hold their cause already.
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    one_line(&line)
}

/// A usage error of one of `commands` on one line: what was wrong, without `error: ` before it and clap's paragraphs of usage.
/// `arguments` are those that were typed: they begin with a command, and perhaps with one of its own.
pub fn usage_line(error: &clap::Error, commands: &clap::Command, arguments: &[OsString]) -> String {
    let text = error.to_string();
    let what: Vec<&str> = text
        .trim_start_matches("error: ")
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty())
        .collect();
    let what: Vec<&str> = what.into_iter().filter(|line| !line.starts_with("For more information")).collect();
    // Each command has a help of its own.
    let (mut typed, mut command) = ("laser".to_owned(), commands);
    for name in arguments {
        let Some(found) = command.find_subcommand(name) else { break };
        typed.push_str(&format!(" {}", found.get_name()));
        command = found;
    }
    one_line(&format!("{}: see `{typed} --help`", what.join(" ")))
}

fn one_line(text: &str) -> String {
    short(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Words of messages are at most so long, in characters, ...
const LONGEST_WORD: usize = 160;
/// ... and their lines.
const LONGEST_LINE: usize = 800;

/// A line of a message with its long names cut in the middle, and what is still too long, too: the end often says what to do.
fn short(line: &str) -> String {
    let words: Vec<String> = line.split(' ').map(|word| cut(word, LONGEST_WORD)).collect();
    cut(&words.join(" "), LONGEST_LINE)
}

/// A text of at most `longest` characters, of which a third is its end.
fn cut(text: &str, longest: usize) -> String {
    let letters = text.chars().count();
    if letters <= longest {
        return text.to_owned();
    }
    let (end, start) = (longest / 3, longest - longest / 3 - 1);
    text.chars().take(start).chain(['…']).chain(text.chars().skip(letters - end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_the_unit_that_they_are_said_in() {
        assert_eq!([0.2, 89.0, 90.0, 7200.0].map(duration), ["1 s", "89 s", "2 min", "2.0 h"]);
    }

    #[test]
    fn long_names_are_cut_and_advice_stays() {
        let line = one_line(&format!("error: {}: \n not a task: give another", "x".repeat(5000)));
        assert!(line.chars().count() < 250, "{line}");
        assert!(line.starts_with("error: xxx") && line.ends_with(": not a task: give another"), "{line}");
        let line = one_line(&format!("error: {}: not a task: give another", "ä ö ".repeat(5000)));
        assert_eq!(line.chars().count(), LONGEST_LINE);
        assert!(line.ends_with(": not a task: give another"), "{line}");
        assert_eq!(one_line("error: short: as it is"), "error: short: as it is");
    }
}
