//! What a worker does.

use crate::message::{Answer, Ask, Results};
use laser_edit::Candidate;
use laser_run::{Batch, Cost, ExampleResult, Progress, Scorer, ScorerError};

/// Does the job of the text `ask` by `scorer`, and gives the answer's text.
///
/// # Errors
/// It is no job of this version, or the scorer fails.
pub fn answer(scorer: &mut dyn Scorer, ask: &str, progress: &dyn Progress) -> Result<String, ScorerError> {
    let answer = match serde_json::from_str(ask).map_err(|_| "the driver is of another version of laser")? {
        Ask::Score { split, candidates, examples, exact } => {
            let mut scored: Vec<Vec<ExampleResult>> = vec![Vec::new(); candidates.len()];
            let all: Vec<&Candidate> = candidates.iter().collect();
            let batch = Batch { candidates: &all, split, examples: examples.as_deref(), exact };
            let mut report = |number: usize, results: Vec<ExampleResult>| {
                scored[number] = results;
                Ok(())
            };
            scorer.score(&batch, progress, &mut report)?;
            Answer::Scored(scored.into_iter().map(Results::of).collect())
        }
        Ask::Cost { split, candidates } => {
            let mut costs = Vec::with_capacity(candidates.len());
            let mut report = |cost: Cost| {
                costs.push(cost);
                Ok(())
            };
            scorer.cost(split, &candidates.iter().collect::<Vec<_>>(), progress, &mut report)?;
            Answer::Costs(costs)
        }
        Ask::Rank { candidates, examples } => {
            let changes = scorer.rank_by_gradient(&candidates, &examples, progress)?;
            Answer::Ranked(changes.into_iter().map(f64::to_bits).collect())
        }
    };
    Ok(serde_json::to_string(&answer)?)
}
