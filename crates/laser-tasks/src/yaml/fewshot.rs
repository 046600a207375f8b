//! Solved examples before the question (`num_fewshot`).

use std::collections::HashSet;

use super::task_config::{Config, Sampler};
use laser_example::{Example, SplitMix64};

/// A row's question with its answer, and what it is about.
#[derive(Clone)]
pub struct Solved {
    /// Question and answer with what stands behind them.
    pub text: String,
    /// Paraphrases share it.
    pub group: String,
}

/// The solved examples of a task.
pub struct Shots<'a> {
    solved: Vec<Solved>,
    /// The evaluated examples, solved.
    evaluated: &'a [Solved],
    /// Whether groups mean the same here and among the evaluated examples.
    groups: bool,
    count: usize,
    sampler: Sampler,
    seed: u64,
}

impl<'a> Shots<'a> {
    /// `solved`: the examples to show, where they are not the evaluated ones.
    pub fn new(config: &Config, solved: Option<Vec<Solved>>, evaluated: &'a [Solved], seed: u64) -> Self {
        Self {
            groups: solved.is_none() || config.doc_to_group.is_some(),
            solved: solved.unwrap_or_else(|| evaluated.to_vec()),
            evaluated,
            count: config.num_fewshot.unwrap_or(0),
            sampler: config.fewshot_config.as_ref().map_or(Sampler::Default, |config| config.sampler),
            seed,
        }
    }

    /// Evaluated example `index` behind solved ones. Neither the question itself is among them, wherever it
    /// is found, nor its paraphrases. None where too few are left.
    pub fn before(&self, index: usize, example: &Example) -> Option<Example> {
        let own = &self.evaluated[index];
        let fits = |&place: &usize| {
            let other = &self.solved[place];
            other.text != own.text && !(self.groups && other.group == own.group)
        };
        let places = match self.sampler {
            Sampler::FirstN => (0..self.solved.len()).filter(fits).take(self.count).collect(),
            Sampler::Default => self.drawn(index, fits),
        };
        if places.len() < self.count {
            return None;
        }
        let shots: String = places.iter().map(|&place| self.solved[place].text.as_str()).collect();
        let (description, question) = example.prompt.split_at(example.question);
        let prompt = [description, &shots, question].concat();
        Some(Example { prompt, question: example.question + shots.len(), ..example.clone() })
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
