//! What goes to standard output, and how errors are worded.

use anyhow::Context;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Prints one JSON document.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Prints text as it is.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
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

/// Refuses to write where something is, unless `force` says otherwise; an empty folder is free.
pub fn is_free(path: &Path, force: bool) -> anyhow::Result<()> {
    let empty = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    let free = force || !path.exists() || empty;
    anyhow::ensure!(free, "{}: exists: choose another name, or add --force", path.display());
    Ok(())
}

/// The same, and a page that this program wrote is written anew.
pub fn is_page_or_free(path: &Path, force: bool) -> anyhow::Result<()> {
    // Pages that this program writes are far smaller.
    match laser_guard::read_file(path, 1 << 28) {
        Ok(bytes) if laser_report::is_page(&bytes) => Ok(()),
        _ => is_free(path, force),
    }
}

/// Makes a folder for files.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path)
        .with_context(|| format!("{}: the folder cannot be made: choose another", path.display()))
}

/// Prints a line on standard error; if nobody reads it, so be it.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
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

/// The subcommands, each with a help of its own.
const COMMANDS: [&str; 11] =
    ["inspect", "eval", "search", "apply", "chat", "compare", "verdict", "report", "analyze", "demo", "tasks"];

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

/// A usage error on one line: what was wrong, without clap's paragraphs of usage.
pub fn usage_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let what: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty())
        .collect();
    let what: Vec<&str> = what.into_iter().filter(|line| !line.starts_with("For more information")).collect();
    let command = std::env::args().nth(1).filter(|name| !name.starts_with('-') && COMMANDS.contains(&name.as_str()));
    let help = command.map_or("laser --help".to_owned(), |name| format!("laser {name} --help"));
    one_line(&format!("{}: see `{help}`", what.join(" ")))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
