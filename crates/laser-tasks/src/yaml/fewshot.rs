//! Solved examples before the question (`num_fewshot`).

use std::collections::HashSet;

use super::config::{Config, Sampler};
use crate::SplitMix64;

/// A row's question with its answer, and what it is about.
pub struct Solved {
    /// Question, delimiter and answer.
    pub text: String,
    /// Paraphrases share it.
    pub group: String,
}

/// The solved examples of a task.
pub struct Shots {
    solved: Vec<Solved>,
    /// Whether groups mean the same here and among the evaluated examples.
    groups: bool,
    count: usize,
    sampler: Sampler,
    delimiter: String,
    seed: u64,
}

impl Shots {
    /// `evaluated`: the rows are those that are evaluated.
    pub fn new(config: &Config, solved: Vec<Solved>, evaluated: bool, seed: u64) -> Self {
        Self {
            solved,
            groups: evaluated || config.doc_to_group.is_some(),
            count: config.num_fewshot.unwrap_or(0),
            sampler: config.fewshot_config.unwrap_or_default().sampler,
            delimiter: config.fewshot_delimiter(),
            seed,
        }
    }

    /// What stands before the question of evaluated example `index`: each solved example and a delimiter. Neither the
    /// question itself is among them, wherever it is found, nor its paraphrases. None where too few are left.
    pub fn before(&self, index: usize, own: &Solved) -> Option<String> {
        let fits = |&place: &usize| {
            let other = &self.solved[place];
            other.text != own.text && !(self.groups && other.group == own.group)
        };
        let places = match self.sampler {
            Sampler::FirstN => (0..self.solved.len()).filter(fits).take(self.count).collect(),
            Sampler::Default => self.drawn(index, fits),
        };
        let text = |&place: &usize| [self.solved[place].text.as_str(), &self.delimiter];
        (places.len() == self.count).then(|| places.iter().flat_map(text).collect())
    }

    /// Different places at random, by numbers of the example's own.
    fn drawn(&self, index: usize, fits: impl Fn(&usize) -> bool) -> Vec<usize> {
        let mut random = SplitMix64::new(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64);
        let mut places = Vec::with_capacity(self.count);
        let mut seen = HashSet::new();
        // Most places fit, so that a few draws do.
        for _ in 0..20 * self.count + 100 {
            let place = random.below(self.solved.len() as u64) as usize;
            if places.len() < self.count && place < self.solved.len() && seen.insert(place) && fits(&place) {
                places.push(place);
            }
        }
        if places.len() < self.count {
            let mut rest: Vec<usize> =
                (0..self.solved.len()).filter(|place| !seen.contains(place)).filter(fits).collect();
            random.shuffle(&mut rest);
            places.extend(rest.into_iter().take(self.count - places.len()));
        }
        places
    }
}
