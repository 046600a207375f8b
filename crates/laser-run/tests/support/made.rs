//! Made results of made examples.

use laser_edit::Candidate;
use laser_example::SplitMix64;
use laser_run::{Entry, ExampleResult, Record, ResultKind, SplitName};

/// A number uniform over [0, 1).
pub fn uniform(random: &mut SplitMix64) -> f64 {
    random.next_u64() as f64 / 2f64.powi(64)
}

/// One candidate on one split: right or wrong, with a log-loss that follows.
pub fn entry(split: SplitName, candidate: &Candidate, hits: &[bool], log_loss: impl Fn(usize, bool) -> f64) -> Entry {
    let result = |(i, &correct): (usize, &bool)| {
        let record = Record {
            answer_rank: usize::from(!correct),
            generation: Some(String::new()),
            choice_logprobs: None,
            content_free_logprobs: None,
        };
        let record = (split == SplitName::Test).then_some(record);
        ExampleResult { record, ..ExampleResult::binary(correct, log_loss(i, correct)) }
    };
    Entry::new(split, candidate, None, ResultKind::Binary, hits.iter().enumerate().map(result).collect())
}
