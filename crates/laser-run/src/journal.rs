//! Files to which lines are only ever added: `journal.jsonl` holds what has been scored, `costs.jsonl` what edits do elsewhere.

use crate::entries::Entries;
use crate::error::{Error, Result};
use crate::expected_lines::ExpectedLines;
use crate::log::Log;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// No journal is larger, in bytes.
const LARGEST: u64 = 4 << 30;

/// A file of lines, open for adding.
#[derive(Debug)]
pub struct Journal<L: Log = Entries> {
    path: PathBuf,
    file: File,
    entries: L,
}

impl<L: Log> Journal<L> {
    /// Opens the file at `path`, made if it is not there. A last line that was cut short by a kill is removed.
    ///
    /// # Errors
    /// The file cannot be read or written, or a whole line of it is not what it should be.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_for(path, None)
    }

    /// The same of a search: its lines must fit that.
    pub(crate) fn open_for(path: &Path, expected: Option<&ExpectedLines>) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let mut file = laser_files::open_plain(path, options).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = whole_lines(&bytes);
        let entries = parse(path, whole, expected)?;
        if whole.len() < bytes.len() {
            file.set_len(whole.len() as u64).map_err(io)?;
            file.seek(SeekFrom::End(0)).map_err(io)?;
        }
        Ok(Self { path: path.to_owned(), file, entries })
    }

    /// Adds a line; it is on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, entry: L::Line) -> Result<()> {
        let io = |source| Error::Io { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(&entry).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(io)?;
        self.entries.push(entry);
        Ok(())
    }

    /// What it holds.
    pub fn entries(&self) -> &L {
        &self.entries
    }

    /// The same, taken out.
    pub fn into_entries(self) -> L {
        self.entries
    }
}

/// What the file at `path` holds; nothing if it is not there. A last line that is still being written is passed over, so
/// that it can be read while a search adds to it.
///
/// # Errors
/// The file cannot be read, or a whole line of it is not what it should be.
pub fn read<L: Log>(path: &Path, expected: Option<&ExpectedLines>) -> Result<L> {
    parse(path, whole_lines(&bytes_of(path)?), expected)
}

/// The same, without the lines that are not what they should be, and what is wrong with each of those.
///
/// # Errors
/// The file cannot be read.
pub fn read_sound<L: Log>(path: &Path, expected: Option<&ExpectedLines>) -> Result<(L, Vec<Error>)> {
    let mut wrong = Vec::new();
    let entries = parsed(path, whole_lines(&bytes_of(path)?), expected, &mut |error| {
        wrong.push(error);
        Ok(())
    })?;
    Ok((entries, wrong))
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    match laser_guard::read_file(path, LARGEST) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.map_err(|source| Error::Io { path: path.to_owned(), source }),
    }
}

/// The lines that end with a newline.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1)]
}

fn parse<L: Log>(path: &Path, lines: &[u8], expected: Option<&ExpectedLines>) -> Result<L> {
    parsed(path, lines, expected, &mut Err)
}

/// What the lines hold; those that are not what they should be are left out, and told to `wrong`.
fn parsed<L: Log>(
    path: &Path,
    lines: &[u8],
    expected: Option<&ExpectedLines>,
    wrong: &mut dyn FnMut(Error) -> Result<()>,
) -> Result<L> {
    let mut entries = L::default();
    for (number, line) in lines.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let malformed = |why: String| Error::Malformed {
            path: path.to_owned(),
            why: format!("line {} is not {}: {why}", number + 1, L::NAME),
            advice: "remove that line and run the search again, which makes it anew",
        };
        let line: L::Line = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) => {
                wrong(malformed(error.to_string()))?;
                continue;
            }
        };
        let misfit = || expected.and_then(|expected| entries.misfit(&line, expected));
        match L::flaw(&line).map(str::to_owned).or_else(misfit) {
            Some(flaw) => wrong(malformed(flaw))?,
            None => entries.push(line),
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, SplitName};
    use crate::example_result::{ExampleResult, ResultKind};
    use laser_edit::Candidate;

    fn entry(rho: &str, correct: &[bool]) -> Entry {
        let candidate = format!(r#"[{{"layer":1,"matrix":"fc_in","rho":{rho}}}]"#);
        let candidate: Candidate = serde_json::from_str(&candidate).unwrap();
        let results = correct.iter().map(|&correct| ExampleResult::binary(correct, 1.0 / 6.0)).collect();
        Entry::new(SplitName::Validation, &candidate, None, ResultKind::Binary, results)
    }

    #[test]
    fn a_journal_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (first, second) = (entry("0.1", &[true, false]), entry("0.2", &[true, true]));
        let mut journal: Journal = Journal::open(&path).unwrap();
        journal.append(first.clone()).unwrap();
        journal.append(second.clone()).unwrap();
        let journal: Journal = Journal::open(&path).unwrap();
        assert_eq!(journal.entries().all(), [first.clone(), second]);
        assert_eq!(journal.entries().get(SplitName::Validation, &first.interventions), Some(&first));
        assert_eq!(journal.entries().get(SplitName::Test, &first.interventions), None);
        assert_eq!(read::<Entries>(&path, None).unwrap().all(), journal.entries().all());
        assert!(read::<Entries>(&folder.path().join("nowhere"), None).unwrap().all().is_empty());
    }

    #[test]
    fn a_torn_last_line_is_scored_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal: Journal = Journal::open(&path).unwrap();
        journal.append(entry("0.1", &[true])).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            let torn = [&whole[..], &whole[..cut]].concat();
            std::fs::write(&path, &torn).unwrap();
            // Who only reads leaves it as it is.
            assert_eq!(read::<Entries>(&path, None).unwrap().all().len(), 1, "cut at {cut}");
            assert_eq!(std::fs::read(&path).unwrap(), torn);
            let mut journal: Journal = Journal::open(&path).unwrap();
            assert_eq!(journal.entries().all().len(), 1, "cut at {cut}");
            journal.append(entry("0.2", &[false])).unwrap();
            assert_eq!(Journal::<Entries>::open(&path).unwrap().entries().all().len(), 2, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{\"split\":\"validation\"}\n").unwrap();
        let message = Journal::<Entries>::open(&path).unwrap_err().to_string();
        assert!(message.contains("line 1") && !message.contains('\n'), "{message}");

        let mut good = serde_json::to_string(&entry("0.1", &[true])).unwrap();
        good.push('\n');
        std::fs::write(&path, format!("{good}{{\"split\":\"validation\"}}\n{good}{{\"torn")).unwrap();
        let (entries, wrong) = read_sound::<Entries>(&path, None).unwrap();
        assert_eq!((entries.all().len(), wrong.len()), (2, 1));
        assert!(wrong[0].to_string().contains("line 2"));
    }
}
