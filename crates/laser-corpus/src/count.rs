//! The counting itself.

use crate::batches::{Batch, Batches, files_of};
use crate::corpus_error::{CorpusError, Result};
use crate::facts::Fact;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

/// How a corpus is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// A document is cut into windows of about so many bytes, at whitespace; what occurs together does so in one window.
    pub window: usize,
}

impl Default for Counting {
    /// 1,000 bytes: some paragraphs.
    fn default() -> Self {
        Self { window: 1_000 }
    }
}

/// In how many windows a fact's texts occur, as whole words, with the case that they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FactCount {
    /// The subject.
    pub subject: u64,
    /// The answer.
    pub answer: u64,
    /// Both.
    pub together: u64,
}

/// The counts of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactCounts {
    /// One for each fact.
    pub facts: Vec<FactCount>,
    /// Bytes of text that were read, as they are decompressed.
    pub bytes: u64,
    /// Windows that the text was cut into.
    pub windows: u64,
}

/// Counts `facts` in the text at `corpus`, a file or a folder. `progress` hears how many bytes more
/// of its files were read, of [`size_of`](crate::size_of).
///
/// # Errors
/// A file cannot be read, or is not of its form.
pub fn count_facts(
    corpus: &Path,
    facts: &[Fact],
    how: Counting,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<FactCounts> {
    let searcher = Searcher::of(facts)?;
    let total = Mutex::new(Tally::of(&searcher));
    for file in files_of(corpus)? {
        // One thread reads, the others count; each has a tally of its own.
        let tally = Batches::open(&file)?.par_bridge().try_fold(
            || Tally::of(&searcher),
            |mut tally, batch| {
                let batch = batch?;
                tally.add(&searcher, &batch, how.window.max(1))?;
                progress(batch.read);
                Ok::<Tally, CorpusError>(tally)
            },
        );
        let tally = tally.try_reduce(|| Tally::of(&searcher), |a, b| Ok(a.and(&b)))?;
        let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *total = std::mem::take(&mut *total).and(&tally);
    }
    let total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(searcher.counts(&total))
}

/// All subjects and answers in one automaton.
struct Searcher {
    automaton: AhoCorasick,
    /// Of each text, the pairs that it is the subject of: the answer's text, and the pair's number.
    pairs_of: Vec<Vec<(u32, u32)>>,
    /// Of each fact its subject's and its answer's text, and its pair.
    facts: Vec<[usize; 3]>,
    texts: usize,
    pairs: usize,
}

impl Searcher {
    fn of(facts: &[Fact]) -> Result<Self> {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut texts: Vec<&str> = Vec::new();
        let mut number = |text| {
            *numbers.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let mut pairs: HashMap<(usize, usize), usize> = HashMap::new();
        let mut list = Vec::with_capacity(facts.len());
        for fact in facts {
            let (subject, answer) = (number(fact.subject.as_str()), number(fact.answer.as_str()));
            let next = pairs.len();
            list.push([subject, answer, *pairs.entry((subject, answer)).or_insert(next)]);
        }
        let mut pairs_of = vec![Vec::new(); texts.len()];
        for (&(subject, answer), &pair) in &pairs {
            pairs_of[subject].push((answer as u32, pair as u32));
        }
        // An automaton of states in one piece is smaller than a table of all transitions, and stays in the cache.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&texts)?;
        Ok(Self { automaton, pairs_of, facts: list, texts: texts.len(), pairs: pairs.len() })
    }

    fn counts(&self, tally: &Tally) -> FactCounts {
        let count = |&[subject, answer, pair]: &[usize; 3]| FactCount {
            subject: tally.texts[subject],
            answer: tally.texts[answer],
            together: tally.pairs[pair],
        };
        FactCounts { facts: self.facts.iter().map(count).collect(), bytes: tally.bytes, windows: tally.windows }
    }
}

/// What some batches gave.
#[derive(Default)]
struct Tally {
    texts: Vec<u64>,
    pairs: Vec<u64>,
    bytes: u64,
    windows: u64,
    /// Per text, the last window that it was seen in, so that nothing need be cleared between windows.
    seen: Vec<u64>,
    found: Vec<usize>,
}

impl Tally {
    fn of(searcher: &Searcher) -> Self {
        Self {
            texts: vec![0; searcher.texts],
            pairs: vec![0; searcher.pairs],
            seen: vec![u64::MAX; searcher.texts],
            ..Self::default()
        }
    }

    fn and(mut self, other: &Self) -> Self {
        self.texts.iter_mut().zip(&other.texts).for_each(|(a, b)| *a += b);
        self.pairs.iter_mut().zip(&other.pairs).for_each(|(a, b)| *a += b);
        self.bytes += other.bytes;
        self.windows += other.windows;
        // The window numbers of the two are not those of one count.
        self.seen.fill(u64::MAX);
        self
    }

    fn add(&mut self, searcher: &Searcher, batch: &Batch, window: usize) -> Result<()> {
        self.bytes += batch.size as u64;
        batch.each(|mut document| {
            while !document.is_empty() {
                let end = end_of_window(document, window);
                self.add_window(searcher, &document[..end]);
                document = &document[end..];
            }
        })
    }

    fn add_window(&mut self, searcher: &Searcher, text: &[u8]) {
        let window = self.windows;
        self.windows += 1;
        self.found.clear();
        for hit in searcher.automaton.find_overlapping_iter(text) {
            let number = hit.pattern().as_usize();
            if self.seen[number] != window && is_whole(text, hit.start(), hit.end()) {
                self.seen[number] = window;
                self.found.push(number);
            }
        }
        for &subject in &self.found {
            self.texts[subject] += 1;
            for &(answer, pair) in &searcher.pairs_of[subject] {
                if self.seen[answer as usize] == window {
                    self.pairs[pair as usize] += 1;
                }
            }
        }
    }
}

/// A window ends at the first whitespace after so many bytes, or with the document.
fn end_of_window(document: &[u8], window: usize) -> usize {
    let rest = document.get(window..).unwrap_or_default();
    rest.iter().position(u8::is_ascii_whitespace).map_or(document.len(), |at| window + at + 1)
}

/// Whether no letter or digit touches the text from `start` to `end`. Bytes of other scripts count as letters.
fn is_whole(text: &[u8], start: usize, end: usize) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    !is_letter(before) && !is_letter(text.get(end))
}
