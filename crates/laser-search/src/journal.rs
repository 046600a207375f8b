//! What has been scored, one line a candidate and split; lines are only ever added.

use laser_engine::Candidate;
use laser_run::Record;
use laser_run::{Error, Result};
use laser_tasks::{Outcome, Score};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Which examples were scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitName {
    /// The examples that candidates are chosen on.
    Validation,
    /// The examples that only the base and the chosen candidate see.
    Test,
}

/// Examples `0`.. below `1`, by place in a race's order.
pub type Part = (usize, usize);

/// A finished candidate on one split, or on a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The examples.
    pub split: SplitName,
    /// The candidate; none for the base.
    pub interventions: Candidate,
    /// Its score, which follows from the two lists below.
    pub score: Score,
    /// One character an example of the split, in order: `1` right, `0` wrong.
    pub correct: String,
    /// The log-loss of each example, nats a token.
    pub log_loss: Vec<f64>,
    /// Where only some examples were scored: from which to which, in the seeded order of a race.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// What else each example gave; kept of the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<Record>>,
}

impl Entry {
    /// The entry of a candidate that gave `outcomes`.
    pub fn new(split: SplitName, candidate: &Candidate, outcomes: &[Outcome]) -> Self {
        Self {
            split,
            interventions: candidate.clone(),
            score: Score::of(outcomes),
            correct: outcomes.iter().map(|outcome| if outcome.correct { '1' } else { '0' }).collect(),
            log_loss: outcomes.iter().map(Outcome::log_loss).collect(),
            part: None,
            records: None,
        }
    }

    /// The same on a part of the split; its lists have the part's examples only.
    pub fn on(self, part: Part) -> Self {
        Self { part: Some(part), ..self }
    }

    /// What each example gave, as far as it is kept: the log-loss, not how many tokens it is the mean of.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome> + '_ {
        let outcome =
            |(correct, log_loss): (bool, &f64)| Outcome { correct, answer_logprob: -log_loss, answer_tokens: 1 };
        self.hits().zip(&self.log_loss).map(outcome)
    }

    /// The same with what else each example gave.
    pub fn with_records(self, records: Vec<Record>) -> Self {
        Self { records: Some(records), ..self }
    }

    /// Whether each example was right.
    pub fn hits(&self) -> impl Iterator<Item = bool> + '_ {
        self.correct.bytes().map(|byte| byte == b'1')
    }

    /// How many were right.
    pub fn right(&self) -> usize {
        self.hits().filter(|&hit| hit).count()
    }
}

/// `journal.jsonl`, open for adding.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    index: HashMap<(SplitName, String, Option<Part>), usize>,
}

impl Journal {
    /// Opens the journal at `path`, made if it is not there. A last line that was cut short by a kill is removed.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io)?;
            file.seek(SeekFrom::End(0)).map_err(io)?;
        }
        let mut journal = Self { path: path.to_owned(), file, entries: Vec::new(), index: HashMap::new() };
        for (number, line) in bytes[..whole].split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let entry: Entry = serde_json::from_slice(line).map_err(|error| Error::Malformed {
                path: path.to_owned(),
                why: format!("line {} is no journal entry: {error}", number + 1),
                advice: "remove that line, its candidate is then scored again",
            })?;
            journal.insert(entry);
        }
        Ok(journal)
    }

    /// Adds an entry; it is on disk when this returns.
    pub fn append(&mut self, entry: Entry) -> Result<()> {
        let io = |source| Error::Io { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(&entry).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(io)?;
        self.insert(entry);
        Ok(())
    }

    /// The entry of a candidate on a whole split.
    pub fn get(&self, split: SplitName, candidate: &Candidate) -> Option<&Entry> {
        self.get_part(split, candidate, None)
    }

    /// The entry of a candidate on a part of a split.
    pub fn get_part(&self, split: SplitName, candidate: &Candidate, part: Option<Part>) -> Option<&Entry> {
        self.index.get(&(split, candidate.to_string(), part)).map(|&i| &self.entries[i])
    }

    /// Where the journal is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All entries, in the order in which they were finished.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn insert(&mut self, entry: Entry) {
        self.index.insert((entry.split, entry.interventions.to_string(), entry.part), self.entries.len());
        self.entries.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str, correct: &[bool]) -> Entry {
        let spec: laser_checkpoint::InterventionSpec = text.parse().unwrap();
        let layer = *spec.layers.resolve(9).unwrap().start();
        let matrix = text[text.find('.').unwrap() + 1..text.find(':').unwrap()].parse().unwrap();
        let intervention = laser_checkpoint::Intervention { layer, matrix, edit: spec.edit };
        let candidate = Candidate::new([intervention]).unwrap();
        let outcomes: Vec<Outcome> =
            correct.iter().map(|&correct| Outcome { correct, answer_logprob: -1.0 / 3.0, answer_tokens: 2 }).collect();
        Entry::new(SplitName::Validation, &candidate, &outcomes)
    }

    #[test]
    fn a_journal_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (first, second) = (entry("1.fc_in:0.1", &[true, false]), entry("1.fc_in:0.2", &[true, true]));
        let mut journal = Journal::open(&path).unwrap();
        journal.append(first.clone()).unwrap();
        journal.append(second.clone()).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.entries(), [first.clone(), second]);
        assert_eq!(journal.get(SplitName::Validation, &first.interventions), Some(&first));
        assert_eq!(journal.get(SplitName::Test, &first.interventions), None);
    }

    #[test]
    fn a_torn_last_line_is_scored_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal.append(entry("1.fc_in:0.1", &[true])).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            std::fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            assert_eq!(journal.entries().len(), 1, "cut at {cut}");
            journal.append(entry("1.fc_in:0.2", &[false])).unwrap();
            assert_eq!(Journal::open(&path).unwrap().entries().len(), 2, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{\"split\":\"validation\"}\n").unwrap();
        let message = Journal::open(&path).unwrap_err().to_string();
        assert!(message.contains("line 1") && !message.contains('\n'), "{message}");
    }
}
