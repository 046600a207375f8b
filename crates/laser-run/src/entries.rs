//! Everything that has been scored.

use crate::entry::{Entry, SplitName};
use crate::example_range::ExampleRange;
use crate::log::Log;
use laser_edit::Candidate;
use std::collections::HashMap;

/// Entries in the order in which they were finished, found by candidate.
#[derive(Debug, Default)]
pub struct Entries {
    all: Vec<Entry>,
    index: HashMap<(SplitName, String, Option<ExampleRange>), usize>,
}

impl Log for Entries {
    type Line = Entry;
    const NAME: &'static str = "a journal entry";

    fn push(&mut self, entry: Entry) {
        self.index.insert((entry.split, entry.interventions.to_string(), entry.part), self.all.len());
        self.all.push(entry);
    }

    fn flaw(entry: &Entry) -> Option<&'static str> {
        entry.flaw()
    }
}

impl Entries {
    /// The entry of a candidate on a whole split.
    pub fn get(&self, split: SplitName, candidate: &Candidate) -> Option<&Entry> {
        self.get_on(split, candidate, None)
    }

    /// The entry of a candidate on some examples of a split; on all of them for none.
    pub fn get_on(&self, split: SplitName, candidate: &Candidate, part: Option<ExampleRange>) -> Option<&Entry> {
        self.index.get(&(split, candidate.to_string(), part)).map(|&i| &self.all[i])
    }

    /// All entries, in the order in which they were finished.
    pub fn all(&self) -> &[Entry] {
        &self.all
    }

    /// What candidates gave on the whole validation split, the base left out. Of a candidate that is there twice, the entry that
    /// counts.
    pub fn candidates(&self) -> Vec<&Entry> {
        let base = Candidate::base();
        let counts = |entry: &Entry| {
            self.get(SplitName::Validation, &entry.interventions).is_some_and(|it| std::ptr::eq(it, entry))
        };
        let candidate =
            |entry: &&Entry| entry.split == SplitName::Validation && entry.interventions != base && counts(entry);
        self.all.iter().filter(candidate).collect()
    }

    /// On how many examples of a split of `examples` candidates have been scored, summed over the candidates.
    pub fn evaluations(&self, split: SplitName, examples: usize) -> usize {
        let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
        for entry in self.all.iter().filter(|entry| entry.split == split) {
            let (whole, parts) = seen.entry(entry.interventions.to_string()).or_default();
            match entry.part {
                None => *whole = examples,
                Some(part) => *parts += part.len(),
            }
        }
        seen.values().map(|&(whole, parts)| whole.max(parts)).sum()
    }
}
