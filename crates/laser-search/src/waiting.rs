//! What a scorer still owes, and checks of what it gives.

use crate::error::{Error, Result};
use laser_run::{ExampleResult, ResultKind};

/// Refuses another number of results than was expected.
pub fn complete(expected: usize, found: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::ResultCount { expected, found }) }
}

/// The candidates of a batch whose results have not come yet. What a scorer reports is checked before it is kept.
pub struct Waiting {
    for_candidate: Vec<bool>,
    examples: usize,
    kind: ResultKind,
}

impl Waiting {
    /// For so many candidates, each on so many examples.
    pub fn new(candidates: usize, examples: usize, kind: ResultKind) -> Self {
        Self { for_candidate: vec![true; candidates], examples, kind }
    }

    /// Takes note of the results of candidate `number`.
    pub fn take(&mut self, number: usize, results: &[ExampleResult]) -> Result<()> {
        complete(self.examples, results.len())?;
        match self.for_candidate.get_mut(number) {
            Some(waiting) if *waiting => *waiting = false,
            _ => return Err(Error::UnaskedResults { number }),
        }
        let odd = |it: &&ExampleResult| !self.kind.admits(it.value) || !it.log_loss.is_finite();
        match results.iter().find(odd) {
            Some(it) => Err(Error::ResultValue { value: it.value, log_loss: it.log_loss }),
            None => Ok(()),
        }
    }

    /// Refuses to go on if results are missing.
    pub fn end(self) -> Result<()> {
        let missing = self.for_candidate.iter().filter(|waiting| **waiting).count();
        complete(self.for_candidate.len(), self.for_candidate.len() - missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(values: [f64; 2]) -> Vec<ExampleResult> {
        values.map(|value| ExampleResult::real(value, 0.5)).to_vec()
    }

    #[test]
    fn what_a_scorer_reports_is_checked_before_it_is_kept() {
        let waiting = |kind| Waiting::new(2, 2, kind);
        let mut good = waiting(ResultKind::Binary);
        good.take(1, &results([0.0, 1.0])).unwrap();
        assert!(matches!(good.take(1, &results([0.0, 1.0])), Err(Error::UnaskedResults { number: 1 })));
        assert!(matches!(good.take(2, &results([0.0, 1.0])), Err(Error::UnaskedResults { number: 2 })));
        assert!(matches!(good.end(), Err(Error::ResultCount { expected: 2, found: 1 })));
        let refused = |kind, values| waiting(kind).take(0, &results(values)).is_err();
        assert!(refused(ResultKind::Binary, [0.0, 0.5]));
        assert!(refused(ResultKind::Bounded { low: 0.0, high: 1.0 }, [0.5, 1.5]));
        assert!(refused(ResultKind::Real, [0.0, f64::NAN]));
        assert!(!refused(ResultKind::Real, [-7.0, 1e9]));
        assert!(waiting(ResultKind::Real).take(0, &results([1.0, 1.0])[..1]).is_err());
        let mut endless = results([1.0, 1.0]);
        endless[1].log_loss = f64::INFINITY;
        assert!(matches!(waiting(ResultKind::Real).take(0, &endless), Err(Error::ResultValue { .. })));
    }
}
