//! What the tasks of a group have, each by itself, and what the group has as a whole.

use crate::error::Result;
use crate::evaluated_example::EvaluatedExample;
use laser_example::{Example, Measured, Outcome, Score, ScoredExample};
use laser_run::{Metrics, Record};
use laser_tasks::{AggregateMetric, Subtask, Task, TaskGroup};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A model's score on the examples of one task of a group.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SubtaskScore {
    /// The task's name.
    pub task: String,
    /// Accuracy and log-loss.
    #[serde(flatten)]
    pub score: Score,
    /// The metrics that groups aggregate, by name.
    pub metrics: BTreeMap<String, f64>,
}

/// A metric of a group, as its file says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GroupScore {
    /// The group's name.
    pub group: String,
    /// How many examples its tasks have.
    pub n: usize,
    /// The means over its tasks, by the metric's name.
    pub metrics: BTreeMap<String, f64>,
}

/// The scores of the tasks of a group, or of several tasks, of the examples with `numbers`; none of a plain task.
pub fn subtask_scores(
    task: &Task,
    numbers: &[usize],
    evaluated: &[EvaluatedExample],
    measured: Vec<Measured>,
) -> Vec<SubtaskScore> {
    if !has_several(task) {
        return Vec::new();
    }
    let score = |(subtask, asked): (&Subtask, Measured)| {
        let own: Vec<&EvaluatedExample> = numbers
            .iter()
            .zip(evaluated)
            .filter(|(number, _)| subtask.examples.contains(number))
            .map(|(_, example)| example)
            .collect();
        let outcomes: Vec<Outcome> = own.iter().map(|it| it.outcome).collect();
        let examples: Vec<&Example> = own.iter().map(|it| &it.example).collect();
        let records: Vec<Record> = own.iter().map(|it| it.record.clone()).collect();
        let score = Score::of(&outcomes);
        let mut metrics = named(&score, Metrics::of(&examples, &records).as_ref());
        metrics.extend(asked.values);
        (score.n > 0).then(|| SubtaskScore { task: subtask.name.clone(), score, metrics })
    };
    task.subtasks.iter().zip(measured).filter_map(score).collect()
}

/// What the file of each task of a group asks for; none of a plain task.
pub fn subtask_metrics(task: &Task, numbers: &[usize], given: &[ScoredExample]) -> Result<Vec<Measured>> {
    if !has_several(task) {
        return Ok(Vec::new());
    }
    let of = |subtask: &Subtask| {
        let own = numbers.iter().zip(given).filter(|(number, _)| subtask.examples.contains(number));
        let own: Vec<ScoredExample> = own.map(|(_, given)| *given).collect();
        if own.is_empty() { Ok(Measured::default()) } else { Ok(subtask.metrics.of(&own)?) }
    };
    task.subtasks.iter().map(of).collect()
}

fn has_several(task: &Task) -> bool {
    !task.groups.is_empty() || task.subtasks.len() > 1
}

/// What groups aggregate of their tasks' scores. A metric that no task has is left out.
pub fn group_scores(groups: &[TaskGroup], tasks: &[SubtaskScore]) -> Vec<GroupScore> {
    let score = |group: &TaskGroup| {
        let own: Vec<&SubtaskScore> = tasks.iter().filter(|task| group.subtasks.contains(&task.task)).collect();
        let mut metrics = BTreeMap::new();
        for wanted in &group.aggregate {
            for name in names(wanted, &own) {
                let (mut sum, mut weights) = (0.0, 0.0);
                for task in &own {
                    if let Some(value) = task.metrics.get(&name) {
                        let weight = if wanted.weight_by_size { task.score.n as f64 } else { 1.0 };
                        sum += weight * value;
                        weights += weight;
                    }
                }
                if weights > 0.0 {
                    metrics.insert(name, sum / weights);
                }
            }
        }
        GroupScore { group: group.name.clone(), n: own.iter().map(|task| task.score.n).sum(), metrics }
    };
    groups.iter().map(score).filter(|score| score.n > 0).collect()
}

/// The metric after each filter that is asked for, or that a task has; by its bare name where no task's file names one.
fn names(wanted: &AggregateMetric, tasks: &[&SubtaskScore]) -> Vec<String> {
    let prefix = format!("{},", wanted.metric);
    let found: BTreeSet<&String> =
        tasks.iter().flat_map(|task| task.metrics.keys()).filter(|name| name.starts_with(&prefix)).collect();
    match &wanted.filters {
        _ if found.is_empty() => vec![wanted.metric.clone()],
        Some(filters) => filters.iter().map(|filter| format!("{prefix}{filter}")).collect(),
        None => found.into_iter().cloned().collect(),
    }
}

/// The metrics by the names that task files use.
fn named(score: &Score, metrics: Option<&Metrics>) -> BTreeMap<String, f64> {
    let mut named = BTreeMap::from([("accuracy".to_owned(), score.accuracy), ("log_loss".to_owned(), score.log_loss)]);
    if let Some(metrics) = metrics {
        if let Some(choice) = metrics.choice {
            named.extend([("acc".to_owned(), choice.acc), ("acc_norm".to_owned(), choice.acc_norm)]);
        } else {
            named.extend([("acc".to_owned(), score.accuracy), ("exact_match".to_owned(), score.accuracy)]);
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_count_by_their_size_or_alike() {
        let task = |name: &str, n, acc| SubtaskScore {
            task: name.to_owned(),
            score: Score { n, accuracy: acc, log_loss: 1.0 },
            metrics: BTreeMap::from([("acc".to_owned(), acc)]),
        };
        let tasks = [task("a", 30, 0.5), task("b", 10, 0.9), task("c", 5, 0.0)];
        let group = |name: &str, subtasks: &[&str], weight_by_size| TaskGroup {
            name: name.to_owned(),
            subtasks: subtasks.iter().map(|&name| name.to_owned()).collect(),
            aggregate: ["acc", "f1"]
                .map(|metric| AggregateMetric { metric: metric.to_owned(), filters: None, weight_by_size })
                .to_vec(),
        };
        let groups = [group("all", &["a", "b"], true), group("alike", &["a", "b"], false), group("none", &["d"], true)];
        let found = group_scores(&groups, &tasks);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].n, found[0].metrics["acc"]), (40, 0.6));
        assert_eq!(found[1].metrics, BTreeMap::from([("acc".to_owned(), 0.7)]));
    }
}
