//! What driver and worker tell each other.

use laser_edit::Candidate;
use laser_run::{Cost, ExampleResult, Record, SplitName};
use serde::{Deserialize, Serialize};

/// What is asked of a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// To score candidates on examples, as a [`Batch`](laser_run::Batch) says it.
    Score { split: SplitName, candidates: Vec<Candidate>, examples: Option<Vec<usize>>, exact: bool },
    /// To measure what candidates cost.
    Cost { split: SplitName, candidates: Vec<Candidate> },
    /// To rank candidates by gradients on examples.
    Rank { candidates: Vec<Candidate>, examples: Vec<usize> },
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// What each candidate gave.
    Scored(Vec<Results>),
    /// What each candidate costs.
    Costs(Vec<Cost>),
    /// What is predicted of each candidate, as bits.
    Ranked(Vec<u64>),
}

/// What a candidate gave on each example. Numbers go as bits, so that NaN and infinities arrive as they are.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    values: Vec<u64>,
    log_losses: Vec<u64>,
    records: Vec<Option<Record>>,
}

impl Results {
    /// To be sent.
    pub fn of(results: Vec<ExampleResult>) -> Self {
        let bits = |of: fn(&ExampleResult) -> f64| results.iter().map(|result| of(result).to_bits()).collect();
        let (values, log_losses) = (bits(|it| it.value), bits(|it| it.log_loss));
        let recorded = results.iter().any(|result| result.record.is_some());
        let records = if recorded { results.into_iter().map(|result| result.record).collect() } else { Vec::new() };
        Self { values, log_losses, records }
    }

    /// As they were; none if parts of it are of other lengths.
    pub fn into_results(self) -> Option<Vec<ExampleResult>> {
        let examples = self.values.len();
        if self.log_losses.len() != examples || ![0, examples].contains(&self.records.len()) {
            return None;
        }
        let records = self.records.into_iter().chain(std::iter::repeat(None));
        let pairs = self.values.into_iter().zip(self.log_losses).zip(records);
        let result = |((value, log_loss), record)| ExampleResult {
            record,
            ..ExampleResult::real(f64::from_bits(value), f64::from_bits(log_loss))
        };
        Some(pairs.map(result).collect())
    }
}
