//! Solved examples before the question (`num_fewshot`).

use super::config::{Config, Sampler};
use crate::SplitMix64;

/// The solved examples of a task.
pub struct Shots {
    /// Question, delimiter and answer of each row.
    solved: Vec<String>,
    /// Whether row i is also evaluated example i, which it may not solve itself.
    evaluated: bool,
    count: usize,
    sampler: Sampler,
    delimiter: String,
    seed: u64,
}

impl Shots {
    pub fn new(config: &Config, solved: Vec<String>, evaluated: bool, seed: u64) -> Self {
        let delimiter = config.fewshot_delimiter.clone().unwrap_or_else(|| "\n\n".to_owned());
        let sampler = config.fewshot_config.unwrap_or_default().sampler;
        Self { solved, evaluated, count: config.num_fewshot.unwrap_or(0), sampler, delimiter, seed }
    }

    /// What stands before the question of evaluated example `index`: each solved example and a delimiter.
    pub fn before(&self, index: usize) -> String {
        let mut places: Vec<usize> = (0..self.solved.len()).filter(|&i| !(self.evaluated && i == index)).collect();
        let count = self.count.min(places.len());
        if self.sampler == Sampler::Default {
            // A number of its own for every example: its choice does not depend on which others there are.
            let mut random = SplitMix64::new(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64);
            for place in 0..count {
                let other = place + random.below((places.len() - place) as u64) as usize;
                places.swap(place, other);
            }
        }
        places[..count].iter().flat_map(|&i| [self.solved[i].as_str(), &self.delimiter]).collect()
    }

    /// How many solved examples there are to choose from for each evaluated one.
    pub fn available(&self) -> usize {
        self.solved.len() - usize::from(self.evaluated && !self.solved.is_empty())
    }
}
