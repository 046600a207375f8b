//! Whatever scores candidates on examples: this process, a GPU, a fleet.

use crate::cost::Cost;
use crate::entry::SplitName;
use crate::example_result::{ExampleResult, ResultKind};
use crate::progress::Progress;
use laser_edit::Candidate;

/// Why a scorer, or who takes its results, gives up.
pub type ScorerError = Box<dyn std::error::Error + Send + Sync>;

/// Candidates to be scored on the same examples.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The candidates, in the order in which they were asked for.
    pub candidates: &'a [&'a Candidate],
    /// The split. On test, every result has a record.
    pub split: SplitName,
    /// The examples by their number in the split, in the order in which results are wanted; none for the whole split in its
    /// own order.
    pub examples: Option<&'a [usize]>,
    /// By the model itself, where candidates are otherwise compared in a lower precision.
    pub exact: bool,
}

/// Takes the results of a batch: the candidate's number in it, and one result for each example.
pub type Report<'a> = dyn FnMut(usize, Vec<ExampleResult>) -> Result<(), ScorerError> + 'a;

/// Takes what candidates cost.
pub type CostReport<'a> = dyn FnMut(Cost) -> Result<(), ScorerError> + 'a;

/// Scores candidates.
///
/// Results depend on the candidate and the example alone: in which batches, and in which order, must not change them.
pub trait Scorer {
    /// What kind of results it gives.
    fn kind(&self) -> ResultKind {
        ResultKind::Binary
    }

    /// Scores each candidate of `batch`, and reports each as soon as it is finished, in any order. `progress`, which has been
    /// started, hears of every example under every candidate.
    ///
    /// # Errors
    /// Scoring fails, or `report` does; what has been reported stays.
    fn score(&mut self, batch: &Batch, progress: &dyn Progress, report: &mut Report) -> Result<(), ScorerError>;

    /// To first order, by how much each of `candidates` changes the mean log-loss (nats per token) of validation examples, given by
    /// their number in the split. It starts and finishes `progress` itself.
    ///
    /// # Errors
    /// The scorer has no gradients, or computing them fails.
    fn rank_by_gradient(
        &mut self,
        candidates: &[Candidate],
        examples: &[usize],
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, ScorerError>;

    /// What each of `candidates` does to one half of the reference text, and to the guard tasks; each is reported as soon as it
    /// is finished, in any order. `progress`, which has been started, hears of every candidate.
    ///
    /// # Errors
    /// The scorer measures no costs, computing them fails, or `report` does; what has been reported stays.
    fn cost(
        &mut self,
        _split: SplitName,
        _candidates: &[&Candidate],
        _progress: &dyn Progress,
        _report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        Err("this scorer measures no costs: search without a text, limits and guard tasks".into())
    }
}
