//! Validation and test: which examples choose a candidate, and which judge it.

use crate::subtask::shares;
use crate::{Task, TaskError};

/// Which examples are in which part: ascending indices into `Task::examples`; together all of them, each once, neither part empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The examples that candidates are compared on.
    pub validation: Vec<usize>,
    /// The examples that only the base and the chosen candidate see.
    pub test: Vec<usize>,
}

impl Split {
    /// Validation gets about `fraction` of the examples by a seeded shuffle of the groups; examples of one group stay together.
    ///
    /// Groups go to validation in shuffled order while they fit into floor(fraction n) examples (at least 1), one that does not fit
    /// being passed over; where none fits, the first goes there alone. At least two groups are needed. Of several subtasks each gives
    /// its share.
    ///
    /// # Errors
    /// If there are fewer than two groups, or if `fraction` is not between 0 and 1.
    pub fn shuffled(task: &Task, fraction: f64, seed: u64) -> Result<Self, TaskError> {
        let groups = task.shuffled_groups(seed);
        let size = validation_size(task, "groups of examples", groups.len(), fraction)?;
        let mut validation = task.balanced(size, seed);
        if validation.is_empty() {
            validation = groups.into_iter().next().unwrap_or_default();
        }
        Ok(Self::with_validation(task, validation))
    }

    /// Validation gets the first floor(fraction n) examples (at least 1), of several subtasks the first of each, as the paper's code does. Groups are not kept together: a
    /// group at the border has examples in both parts.
    ///
    /// # Errors
    /// If there are fewer than two examples, or if `fraction` is not between 0 and 1.
    pub fn first(task: &Task, fraction: f64) -> Result<Self, TaskError> {
        let size = validation_size(task, "examples", task.examples.len(), fraction)?;
        let sizes: Vec<usize> = task.subtasks.iter().map(|subtask| subtask.examples.len()).collect();
        let parts = task.subtasks.iter().zip(shares(size, &sizes));
        Ok(Self::with_validation(
            task,
            parts.flat_map(|(subtask, share)| subtask.examples.clone().take(share)).collect(),
        ))
    }

    fn with_validation(task: &Task, validation: Vec<usize>) -> Self {
        let mut is_test = vec![true; task.examples.len()];
        for &i in &validation {
            is_test[i] = false;
        }
        let test = (0..is_test.len()).filter(|&i| is_test[i]).collect();
        Self { validation, test }
    }
}

/// floor(fraction n), from 1 to n - 1.
fn validation_size(task: &Task, unit: &'static str, found: usize, fraction: f64) -> Result<usize, TaskError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(TaskError::Fraction(fraction));
    }
    let n = task.examples.len();
    if found < 2 {
        return Err(TaskError::TooSmallToSplit { task: task.name.clone(), unit, found });
    }
    // The small addend: 0.29 * 100 is 28.999999999999996.
    let size = (fraction * n as f64 + 1e-9).floor() as usize;
    Ok(size.clamp(1, n - 1))
}
