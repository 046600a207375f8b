//! Everything that has been scored.

use crate::entry::{Entry, SplitName};
use crate::example_range::ExampleRange;
use crate::expected_lines::ExpectedLines;
use crate::log::Log;
use laser_edit::Candidate;
use std::collections::{BTreeSet, HashMap};

/// Entries in the order in which they were finished, found by candidate.
#[derive(Debug, Default)]
pub struct Entries {
    all: Vec<Entry>,
    index: HashMap<(SplitName, String, Option<ExampleRange>), usize>,
    /// The ranges that occur.
    ranges: BTreeSet<ExampleRange>,
}

impl Log for Entries {
    type Line = Entry;
    const NAME: &'static str = "a journal entry";

    fn push(&mut self, entry: Entry) {
        self.ranges.extend(entry.part);
        self.index.insert((entry.split, entry.interventions.to_string(), entry.part), self.all.len());
        self.all.push(entry);
    }

    fn flaw(entry: &Entry) -> Option<&'static str> {
        entry.flaw()
    }

    fn misfit(&self, entry: &Entry, expected: &ExpectedLines) -> Option<String> {
        let results = expected.run.task.results;
        let (n, binary) = (entry.score.n, entry.is_binary());
        if binary != results.is_binary() || !entry.values().iter().all(|&value| results.admits(value)) {
            return Some("its results are of another kind than the task's".to_owned());
        }
        if let Some(of) = expected.examples_of(entry.split) {
            let split = if entry.split == SplitName::Validation { "validation" } else { "test" };
            let within = entry.part.is_none_or(|part| entry.split == SplitName::Validation && part.end <= of);
            if !within || (entry.part.is_none() && n != of) {
                return Some(format!("it is over {n} examples, and examples.jsonl has {of} of {split}"));
            }
        }
        expected.misfit(&entry.interventions).or_else(|| self.contradiction(entry, &expected.order))
    }
}

impl Entries {
    /// What an earlier entry of the same candidate says otherwise; `order` is that of races.
    fn contradiction(&self, entry: &Entry, order: &[usize]) -> Option<String> {
        let name = &entry.interventions;
        let earlier = |part| self.get_on(entry.split, name, part);
        if earlier(entry.part).is_some_and(|earlier| earlier != entry) {
            return Some(format!("{name} was scored before on the same examples, with other results"));
        }
        let differ = |whole: &Entry, part: &Entry| {
            let (values, range) = (whole.values(), part.part.unwrap_or(ExampleRange { start: 0, end: 0 }));
            let of_part = order.get(range.start..range.end).unwrap_or_default().iter().map(|&i| values.get(i).copied());
            of_part.zip(part.values()).any(|(a, b)| a.is_some_and(|a| a != b))
        };
        let contradicts = match entry.part {
            Some(_) => earlier(None).is_some_and(|whole| differ(whole, entry)),
            None => self.ranges.iter().filter_map(|&range| earlier(Some(range))).any(|part| differ(entry, part)),
        };
        contradicts.then(|| format!("{name} has other results in its line on a part of these examples"))
    }

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
