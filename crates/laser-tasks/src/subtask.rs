//! The subtasks of a task: one of a plain task, each member's of a group of tasks.

use std::ops::Range;

use crate::content_free_prompt::ContentFreePrompt;
use laser_example::{Example, TaskMetrics};

/// Some examples of a task, which stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtask {
    /// Its name: the task's own, or a member's.
    pub name: String,
    /// Which of the task's examples are its.
    pub examples: Range<usize>,
    /// What a member's file asks to be measured.
    pub metrics: TaskMetrics,
    /// What its prompts have in common; a sample keeps it.
    pub(crate) content_free: Option<ContentFreePrompt>,
    /// What is still to be settled by the model's tokenizer.
    pub(crate) by_tokenizer: ByTokenizer,
}

/// What depends on how a model's tokenizer cuts words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ByTokenizer {
    /// Examples whose answer has more tokens are left out.
    pub max_answer_tokens: Option<usize>,
    /// Tokens that are generated where the tokenizer is a sentencepiece one.
    pub sentencepiece_new_tokens: Option<usize>,
}

/// A group of tasks, and how their metrics become its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskGroup {
    /// Its name.
    pub name: String,
    /// The names of its subtasks, those of the groups in it among them.
    pub subtasks: Vec<String>,
    /// The metrics that it has as a whole.
    pub aggregate: Vec<AggregateMetric>,
}

/// A metric of a group: the mean over its subtasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateMetric {
    /// The metric.
    pub metric: String,
    /// The filters that it is taken after; all where none is named.
    pub filters: Option<Vec<String>>,
    /// Whether a subtask counts by the number of its examples.
    pub weight_by_size: bool,
}

impl Subtask {
    /// All of `examples`, from number `start` on.
    pub fn new(name: &str, start: usize, examples: &[Example]) -> Self {
        Self {
            name: name.to_owned(),
            examples: start..start + examples.len(),
            metrics: TaskMetrics::default(),
            content_free: ContentFreePrompt::of(examples),
            by_tokenizer: ByTokenizer::default(),
        }
    }

    /// The same of the examples `kept`, ascending numbers, which get the numbers from `start` on.
    pub fn keeping(&self, kept: &[usize], start: usize) -> Self {
        let inside = kept.iter().filter(|number| self.examples.contains(number)).count();
        Self { examples: start..start + inside, ..self.clone() }
    }
}

/// `n` shared out in proportion to `sizes`, none more than its size: each gets the whole part of its
/// share, what is left goes to the largest remainders.
pub(crate) fn shares(n: usize, sizes: &[usize]) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    let share = |size: usize| {
        let product = n.min(total) as u128 * size as u128;
        (product / total.max(1) as u128, product % total.max(1) as u128)
    };
    let mut shares: Vec<usize> = sizes.iter().map(|&size| share(size).0 as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(share(sizes[i]).1));
    let left = n.min(total) - shares.iter().sum::<usize>();
    for i in order.into_iter().take(left) {
        shares[i] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_proportion_and_add_up() {
        assert_eq!(shares(10, &[50, 30, 20]), [5, 3, 2]);
        assert_eq!(shares(3, &[5, 5, 1]), [2, 1, 0]);
        assert_eq!(shares(2, &[1, 1, 1]), [1, 1, 0]);
        assert_eq!(shares(9, &[1, 2]), [1, 2]);
        assert_eq!(shares(0, &[4, 2]), [0, 0]);
        assert_eq!(shares(4, &[]), [0usize; 0]);
    }
}
