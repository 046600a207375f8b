//! What a candidate gave on a split: a line of the journal.

use crate::example_range::ExampleRange;
use crate::example_result::{ExampleResult, ResultKind};
use crate::record::Record;
use laser_edit::Candidate;
use laser_example::Score;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which examples were scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitName {
    /// The examples that candidates are chosen on.
    Validation,
    /// The examples that only the base and the chosen candidate see.
    Test,
}

/// A finished candidate on one split, or on some of its examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The examples.
    pub split: SplitName,
    /// The candidate; none for the base.
    pub interventions: Candidate,
    /// Its score, which follows from the lists below. Where results are not binary, `accuracy` is their mean.
    pub score: Score,
    /// One character an example, in order: `1` right, `0` wrong. Empty where results are not binary.
    pub correct: String,
    /// The log-loss of each example, nats per token.
    pub log_loss: Vec<f64>,
    /// The results, where they are not binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<f64>>,
    /// Where only some examples were scored: from which to which, in the seeded order of a race.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<ExampleRange>,
    /// What else each example gave; kept of the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<Record>>,
}

impl Entry {
    /// The entry of a candidate that gave `results`, on the examples of `part` or on the whole split. Records are kept where
    /// every result has one.
    pub fn new(
        split: SplitName,
        candidate: &Candidate,
        part: Option<ExampleRange>,
        kind: ResultKind,
        results: Vec<ExampleResult>,
    ) -> Self {
        let n = results.len();
        let (mut values, mut log_losses) = (0.0, 0.0);
        for result in &results {
            values += result.value;
            log_losses += result.log_loss;
        }
        let binary = kind.is_binary();
        let digit = |result: &ExampleResult| if result.is_right() { '1' } else { '0' };
        Self {
            split,
            interventions: candidate.clone(),
            score: Score { n, accuracy: values / n as f64, log_loss: log_losses / n as f64 },
            correct: if binary { results.iter().map(digit).collect() } else { String::new() },
            log_loss: results.iter().map(|result| result.log_loss).collect(),
            values: (!binary).then(|| results.iter().map(|result| result.value).collect()),
            part,
            records: results.into_iter().map(|result| result.record).collect::<Option<Vec<_>>>().filter(|_| n > 0),
        }
    }

    /// Whether `other`, of the same candidate on the same examples, says something else on more of them than rounding explains.
    pub fn contradicts(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.values(), other.values());
        let differ = |(a, b): &(&f64, &f64)| (*a - *b).abs() > 1e-4 * b.abs().max(1.0);
        let different = mine.iter().zip(&theirs).filter(differ).count();
        mine.len() != theirs.len() || different.saturating_mul(50) > mine.len().max(50)
    }

    /// Whether each example was right or wrong, nothing between.
    pub fn is_binary(&self) -> bool {
        self.values.is_none()
    }

    /// Whether there is one result of each of `examples` examples.
    pub fn is_over(&self, examples: usize) -> bool {
        let results = self.values.as_ref().map_or(self.correct.len(), Vec::len);
        [self.score.n, results, self.log_loss.len()].iter().all(|&n| n == examples)
    }

    /// What is wrong with an entry that was read back, if anything is: its parts contradict each other.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        let n = self.score.n;
        let over_part = self.part.is_none_or(|part| part.end.checked_sub(part.start) == Some(n));
        let recorded = self.records.as_ref().is_none_or(|records| records.len() == n);
        let values = self.values();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
        let near = |a: f64, b: f64| b.is_finite() && (a - b).abs() <= 1e-9 * b.abs().max(1.0);
        if self.correct.bytes().any(|byte| byte != b'0' && byte != b'1') {
            Some("`correct` has other characters than 0 and 1")
        } else if n == 0 || !self.is_over(n) || !over_part || !recorded {
            Some("its lists are not of one length")
        } else if !values.iter().all(|value| value.is_finite()) {
            Some("a value is not a finite number")
        } else if !self.log_loss.iter().all(|loss| (-1e-3..=1e6).contains(loss)) {
            Some("a log-loss is negative, or too large to be one")
        } else if !near(self.score.accuracy, mean(&values)) || !near(self.score.log_loss, mean(&self.log_loss)) {
            Some("its score does not follow from its lists")
        } else {
            None
        }
    }

    /// Whether each example was right; nothing where results are not binary.
    pub fn hits(&self) -> impl Iterator<Item = bool> + '_ {
        self.correct.bytes().map(|byte| byte == b'1')
    }

    /// The result of each example, more being better; 1 and 0 where they are right or wrong.
    pub fn values(&self) -> Vec<f64> {
        match &self.values {
            Some(values) => values.clone(),
            None => self.hits().map(f64::from).collect(),
        }
    }

    /// The same on some of its examples, by number; none where there are not so many.
    pub fn only(&self, numbers: &[usize]) -> Option<Self> {
        let values = self.values();
        let result = |&i: &usize| {
            let record = self.records.as_ref().and_then(|records| records.get(i)).cloned();
            Some(ExampleResult { record, ..ExampleResult::real(*values.get(i)?, *self.log_loss.get(i)?) })
        };
        let results = numbers.iter().map(result).collect::<Option<_>>()?;
        let kind = if self.is_binary() { ResultKind::Binary } else { ResultKind::Real };
        Some(Self::new(self.split, &self.interventions, self.part, kind, results))
    }

    /// How many were right.
    pub fn right(&self) -> usize {
        self.hits().filter(|&hit| hit).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_entry_has_no_values_and_another_no_digits() {
        let results = [(true, 0.5), (false, 1.5)].map(|(right, loss)| ExampleResult::binary(right, loss));
        let entry = Entry::new(SplitName::Test, &Candidate::base(), None, ResultKind::Binary, results.to_vec());
        let json = serde_json::to_string(&entry).unwrap();
        let expected = concat!(
            r#"{"split":"test","interventions":[],"score":{"n":2,"accuracy":0.5,"log_loss":1.0},"#,
            r#""correct":"10","log_loss":[0.5,1.5]}"#
        );
        assert_eq!(json, expected);
        assert_eq!((entry.values(), entry.right()), (vec![1.0, 0.0], 1));

        let results = [-3.0, 7.5].map(|value| ExampleResult::real(value, 0.0));
        let part = Some(ExampleRange { start: 4, end: 6 });
        let entry = Entry::new(SplitName::Validation, &Candidate::base(), part, ResultKind::Real, results.to_vec());
        let json = serde_json::to_string(&entry).unwrap();
        assert!(json.ends_with(r#""correct":"","log_loss":[0.0,0.0],"values":[-3.0,7.5],"part":[4,6]}"#), "{json}");
        assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry);
        assert_eq!(entry.score.accuracy, 2.25);
        assert!(entry.is_over(2) && !entry.is_over(3));
    }

    #[test]
    fn rounding_is_no_contradiction() {
        let of = |kind, values: Vec<f64>| {
            let results = values.into_iter().map(|value| ExampleResult::real(value, 0.0)).collect();
            Entry::new(SplitName::Validation, &Candidate::base(), None, kind, results)
        };
        let flipped = |count: usize| of(ResultKind::Binary, (0..20).map(|i| f64::from(i < count)).collect());
        assert!(!flipped(1).contradicts(&flipped(0)) && flipped(2).contradicts(&flipped(0)));
        let shifted = |by: f64| of(ResultKind::Real, (0..20).map(|i| f64::from(i) + by).collect());
        assert!(!shifted(1e-6).contradicts(&shifted(0.0)) && shifted(0.1).contradicts(&shifted(0.0)));
        assert!(flipped(0).contradicts(&of(ResultKind::Binary, vec![0.0; 19])));
    }

    #[test]
    fn an_entry_that_contradicts_itself_has_a_flaw() {
        let results = [(true, 0.5), (false, 1.5)].map(|(right, loss)| ExampleResult::binary(right, loss));
        let part = Some(ExampleRange { start: 4, end: 6 });
        let good = Entry::new(SplitName::Validation, &Candidate::base(), part, ResultKind::Binary, results.to_vec());
        assert_eq!(good.flaw(), None);
        let changed = |change: &dyn Fn(&mut Entry)| {
            let mut entry = good.clone();
            change(&mut entry);
            entry.flaw().is_some()
        };
        assert!(changed(&|it| it.correct = "1x".into()));
        assert!(changed(&|it| it.correct = "1".into()));
        assert!(changed(&|it| it.log_loss.push(0.1)));
        assert!(changed(&|it| it.values = Some(vec![1.0])));
        assert!(changed(&|it| it.part = Some(ExampleRange { start: 0, end: usize::MAX })));
        assert!(changed(&|it| it.part = Some(ExampleRange { start: 5, end: 0 })));
        assert!(changed(&|it| it.score.accuracy = 7.0));
        assert!(changed(&|it| it.score.log_loss = -1e308));
        assert!(changed(&|it| it.log_loss = vec![1.7e308, 1.7e308]));
        assert!(changed(&|it| it.score.n = 3));
    }
}
