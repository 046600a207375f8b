//! Where results go: the terminal, and a Markdown file that is whole after each line, whatever happens next.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// The report.
pub struct Report {
    file: Option<File>,
    started: Instant,
    failures: usize,
}

impl Report {
    /// A report, in this file where there is one.
    pub fn new(file: Option<&Path>) -> std::io::Result<Self> {
        Ok(Self { file: file.map(File::create).transpose()?, started: Instant::now(), failures: 0 })
    }

    /// A line for both.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.detail(line);
    }

    /// A line for the file alone.
    pub fn detail(&mut self, line: &str) {
        if let Some(file) = &mut self.file {
            // A report that cannot be written is still on the terminal.
            let _ = writeln!(file, "{line}").and_then(|()| file.flush());
        }
    }

    /// A table's heading and its columns, for both or for the file alone.
    pub fn table(&mut self, heading: &str, columns: &[&str]) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.line(&format!("\n## {heading} (at {seconds:.0} s)\n"));
        self.line(&format!("| {} |", columns.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(columns.len())));
    }

    /// A table's row.
    pub fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    /// Something that should not be.
    pub fn failure(&mut self, what: &str) {
        self.failures += 1;
        self.line(&format!("\n**FAILED** {what}"));
    }

    /// How many there were.
    pub fn failures(&self) -> usize {
        self.failures
    }
}
