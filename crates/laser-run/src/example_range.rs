//! Some of a split's examples.

use laser_example::SplitMix64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The examples from `start` to below `end`, by place in the seeded order in which races take them. In JSON `[start, end]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(usize, usize)", into = "(usize, usize)")]
pub struct ExampleRange {
    /// The first place.
    pub start: usize,
    /// The place after the last.
    pub end: usize,
}

impl ExampleRange {
    /// How many examples there are.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// The order in which races take so many validation examples: the numbers in the split, shuffled by a search's seed.
pub fn race_order(examples: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..examples).collect();
    SplitMix64::new(seed).shuffle(&mut order);
    order
}

impl From<(usize, usize)> for ExampleRange {
    fn from((start, end): (usize, usize)) -> Self {
        Self { start, end }
    }
}

impl From<ExampleRange> for (usize, usize) {
    fn from(range: ExampleRange) -> Self {
        (range.start, range.end)
    }
}
