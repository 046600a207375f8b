//! What candidates are compared by.

use crate::description::TaskWeight;
use crate::entries::Entries;
use crate::entry::{Entry, SplitName};
use laser_edit::Candidate;
use laser_example::Example;
use std::cmp::Ordering;

/// Which examples belong to which of several tasks, and what each task counts for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskMembers {
    /// The number of each example's task.
    task_of: Vec<usize>,
    weights: Vec<f64>,
}

impl TaskMembers {
    /// Of `examples`, whose ids begin with the names of `tasks`; nothing for one task.
    pub fn new(tasks: &[TaskWeight], examples: &[&Example]) -> Self {
        if tasks.is_empty() {
            return Self::default();
        }
        let task_of = examples.iter().map(|example| task_of(tasks, &example.id)).collect();
        Self { task_of, weights: tasks.iter().map(|task| task.weight).collect() }
    }

    /// The numbers of the examples of task `number`.
    pub fn examples_of(&self, number: usize) -> Vec<usize> {
        (0..self.task_of.len()).filter(|&i| self.task_of[i] == number).collect()
    }

    /// What candidates are compared by, where the unedited model gave `base`.
    pub fn objective(&self, base: &Entry) -> Objective {
        if self.weights.is_empty() {
            return Objective::default();
        }
        let values = base.values();
        let total: f64 = self.weights.iter().sum();
        // What one example of each task adds to the mean.
        let shares: Vec<f64> = (0..self.weights.len())
            .map(|number| {
                let own: Vec<f64> = self.examples_of(number).iter().filter_map(|&i| values.get(i).copied()).collect();
                self.weights[number] / total / (own.len().max(1) as f64) / deviation(&own, base.is_binary())
            })
            .collect();
        // As shares of 1 they make an accuracy again.
        let all: f64 = self.task_of.iter().map(|&task| shares[task]).sum();
        Objective { shares: Some(self.task_of.iter().map(|&task| shares[task] / all).collect()) }
    }
}

/// The task whose name, with a slash behind it, the id begins with; of names that begin alike, the longest.
fn task_of(tasks: &[TaskWeight], id: &str) -> usize {
    let is_of = |task: &TaskWeight| id.strip_prefix(task.name.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let own = (0..tasks.len()).filter(|&number| is_of(&tasks[number]));
    own.max_by_key(|&number| tasks[number].name.len()).unwrap_or(0)
}

/// The standard deviation of one result of the unedited model. Of right and wrong it is that of a share which is kept from 0 and
/// 1 by half an example.
fn deviation(values: &[f64], is_binary: bool) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let variance = if is_binary {
        let share = (mean * n + 0.5) / (n + 1.0);
        share * (1.0 - share)
    } else {
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)
    };
    if variance > 0.0 { variance.sqrt() } else { 1.0 }
}

/// What candidates are compared by: the mean result and then the log-loss. Of several tasks it is a mean of the examples by which
/// equal gains count alike, each in standard deviations of the unedited model's results on its task, times the task's weight.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objective {
    /// What each example's result adds, where there are several tasks.
    shares: Option<Vec<f64>>,
}

impl Objective {
    /// That of a search over `tasks`, whose validation split and results these are; that of one task before the unedited model
    /// has been scored.
    pub fn of(tasks: &[TaskWeight], validation: &[&Example], entries: &Entries) -> Self {
        let base = entries.get(SplitName::Validation, &Candidate::base());
        base.map(|base| TaskMembers::new(tasks, validation).objective(base)).unwrap_or_default()
    }

    /// That of one task.
    pub const PLAIN: Self = Self { shares: None };

    /// The mean that counts, greater being better: the accuracy of one task, the weighted one of several.
    pub fn value(&self, entry: &Entry) -> f64 {
        match &self.shares {
            None => entry.score.accuracy,
            Some(shares) => shares.iter().zip(entry.values()).map(|(share, value)| share * value).sum(),
        }
    }

    /// [`Ordering::Less`] where `a` is better than `b`: a greater value, or the same at a lower log-loss.
    pub fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        self.value(b).total_cmp(&self.value(a)).then(a.score.log_loss.total_cmp(&b.score.log_loss))
    }

    /// The same, and of equals the candidate that takes precedence: an order in which no two
    /// candidates are equal, so that it does not matter which was scored first.
    pub fn rank(&self, a: &Entry, b: &Entry) -> Ordering {
        self.compare(a, b).then_with(|| a.interventions.precedence(&b.interventions))
    }

    /// `values` of the examples `numbers`, as they count: as they are for one task.
    pub fn weighted(&self, numbers: impl IntoIterator<Item = usize>, values: Vec<f64>) -> Vec<f64> {
        match &self.shares {
            None => values,
            Some(shares) => {
                let share = |number: usize| shares.get(number).copied().unwrap_or(0.0) * shares.len() as f64;
                numbers.into_iter().zip(values).map(|(number, value)| share(number) * value).collect()
            }
        }
    }

    /// Whether all examples count alike, so that results that are right or wrong stay so.
    pub fn is_plain(&self) -> bool {
        self.shares.is_none()
    }

    /// The number of the best of some entries, by [`Self::rank`].
    pub fn best(&self, entries: &[&Entry]) -> Option<usize> {
        (0..entries.len()).min_by(|&a, &b| self.rank(entries[a], entries[b]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_result::{ExampleResult, ResultKind};

    fn entry(hits: &str, log_loss: f64) -> Entry {
        let results = hits.bytes().map(|hit| ExampleResult::binary(hit == b'1', log_loss)).collect();
        Entry::new(SplitName::Validation, &Candidate::base(), None, ResultKind::Binary, results)
    }

    #[test]
    fn equals_are_ranked_by_their_edits_whichever_was_scored_first() {
        let of = |edits: &str| {
            let edits = edits.split(' ').map(|edit| serde_json::from_str(edit).unwrap());
            let results = vec![ExampleResult::binary(true, 0.0)];
            let candidate = Candidate::new(edits).unwrap();
            Entry::new(SplitName::Validation, &candidate, None, ResultKind::Binary, results)
        };
        let edit =
            |layer: usize, matrix: &str, rho: f64| format!(r#"{{"layer":{layer},"matrix":"{matrix}","rho":{rho}}}"#);
        let two = format!("{} {}", edit(0, "q_proj", 0.5), edit(1, "q_proj", 0.5));
        let ranked =
            [edit(0, "q_proj", 0.5), edit(0, "q_proj", 0.05), edit(0, "fc_in", 0.9), edit(3, "q_proj", 0.9), two];
        let entries: Vec<Entry> = ranked.iter().map(|edits| of(edits)).collect();
        for start in 0..entries.len() {
            let mut turned: Vec<&Entry> = entries.iter().cycle().skip(start).take(entries.len()).collect();
            assert_eq!(Objective::PLAIN.best(&turned), Some((entries.len() - start) % entries.len()));
            turned.sort_by(|a, b| Objective::PLAIN.rank(a, b));
            assert!(turned.iter().zip(&entries).all(|(a, b)| a.interventions == b.interventions));
        }
        assert_eq!(Objective::PLAIN.compare(&entries[0], &entries[4]), Ordering::Equal);
    }

    fn members(weights: [f64; 2]) -> TaskMembers {
        TaskMembers { task_of: vec![0, 0, 0, 0, 0, 0, 1, 1, 1], weights: weights.to_vec() }
    }

    #[test]
    fn the_best_has_the_greatest_mean_then_the_least_loss_and_is_the_first() {
        let entry = |value: f64, loss: f64, kind: ResultKind| {
            let results = vec![ExampleResult::real(value, loss)];
            Entry::new(SplitName::Validation, &Candidate::base(), None, kind, results)
        };
        for kind in [ResultKind::Binary, ResultKind::Real] {
            let entries = [entry(0.0, 1.0, kind), entry(1.0, 3.0, kind), entry(1.0, 2.0, kind), entry(1.0, 2.0, kind)];
            assert_eq!(Objective::PLAIN.best(&entries.iter().collect::<Vec<_>>()), Some(2));
        }
    }

    #[test]
    fn of_one_task_more_right_answers_count_then_the_log_loss() {
        let objective = TaskMembers::default().objective(&entry("0000", 1.0));
        let entries = [entry("0110", 9.0), entry("1011", 5.0), entry("0111", 4.0), entry("1110", 4.0)];
        assert_eq!(objective.best(&entries.iter().collect::<Vec<_>>()), Some(2));
        assert_eq!(objective.best(&[]), None);
        assert_eq!(objective.value(&entries[0]), 0.5);
    }

    #[test]
    fn of_several_tasks_gains_count_in_standard_deviations() {
        // Half are right in the first task, none in the second: there (0 + 0.5) / 4 = 1/8 are, for the deviation.
        let base = entry("111000000", 1.0);
        let objective = members([1.0, 1.0]).objective(&base);
        let gain = |hits| objective.value(&entry(hits, 1.0)) - objective.value(&base);
        // What one example of each adds, and all together, by which they become shares.
        let (first, second) = (0.5 / 6.0 / 0.5, 0.5 / 3.0 / (7.0f64 / 64.0).sqrt());
        let all = 6.0 * first + 3.0 * second;
        assert!((gain("111100000") - first / all).abs() < 1e-12);
        assert!((gain("111000001") - second / all).abs() < 1e-12);
        assert!((objective.value(&entry("111111111", 1.0)) - 1.0).abs() < 1e-12);
        // With more weight one task's loss is another's gain.
        let [first, second] = [[9.0, 1.0], [1.0, 9.0]].map(|weights| members(weights).objective(&base));
        let (a, b) = (entry("111111000", 1.0), entry("110000111", 1.0));
        assert_eq!((first.compare(&a, &b), second.compare(&a, &b)), (Ordering::Less, Ordering::Greater));
    }

    #[test]
    fn weighted_results_have_the_value_as_their_mean() {
        let base = entry("111000000", 1.0);
        let objective = members([2.0, 1.0]).objective(&base);
        let other = entry("101010101", 1.0);
        let weighted = objective.weighted(0..9, other.values());
        assert!((weighted.iter().sum::<f64>() / 9.0 - objective.value(&other)).abs() < 1e-12);
    }

    #[test]
    fn an_id_tells_its_task() {
        let tasks = ["qa", "qa/hard", "facts"].map(|name| TaskWeight {
            name: name.to_owned(),
            spec: String::new(),
            weight: 1.0,
        });
        let found = ["qa/1", "qa/hard/1", "facts/qa/2", "qa/harder/3"].map(|id| task_of(&tasks, id));
        assert_eq!(found, [0, 1, 2, 0]);
    }
}
