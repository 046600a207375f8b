//! A strategy that does not use up its budget: what the rest of it would take follows from the generations before.

use crate::chance::{Counted, grown, held};
use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::strategy::{Budget, Strategy};
use std::mem::{Discriminant, discriminant};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// After so many generations of a budget, and the first, the others are taken to be like them. What one takes to be made grows with all
/// that came before it.
const GENERATIONS: usize = 16;
/// The same after the first and one more once so much time has passed: an estimate may then be another on another machine.
const TIME: Duration = Duration::from_millis(1_500);

/// A strategy whose budgets end early.
pub struct Hurried<'a> {
    strategy: &'a mut dyn Strategy,
    counted: &'a Mutex<Counted>,
    started: Instant,
    /// Candidates that were asked for up to the last example.
    whole: usize,
    mark: Option<Mark>,
    rest: Rest,
}

/// What was not asked for, as it is estimated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rest {
    /// What would have been counted.
    pub counts: Counted,
    /// Candidates that would have been scored on all examples.
    pub whole: usize,
}

/// How matters stood at the end of a budget's first generation.
struct Mark {
    budget: Discriminant<Budget>,
    left: usize,
    counted: Counted,
    whole: usize,
    /// Generations since then, and what was left after the last of them.
    generations: usize,
    last: usize,
}

impl<'a> Hurried<'a> {
    /// `strategy`, where `counted` counts what it asks for.
    pub fn new(strategy: &'a mut dyn Strategy, counted: &'a Mutex<Counted>) -> Self {
        Self { strategy, counted, started: Instant::now(), whole: 0, mark: None, rest: Rest::default() }
    }

    /// What was left out.
    pub fn into_rest(self) -> Rest {
        self.rest
    }

    /// Ends the budget that is being spent, once it is known well enough what the rest of it would buy.
    fn hurry(&mut self) {
        let Some(budget) = self.strategy.budget() else { return };
        let left = budget.left();
        match &mut self.mark {
            // More than there was is left of another budget.
            Some(mark) if mark.budget == discriminant(budget) && left <= mark.last => {
                if left == mark.last {
                    return;
                }
                (mark.generations, mark.last) = (mark.generations + 1, left);
                if mark.generations < GENERATIONS && self.started.elapsed() < TIME {
                    return;
                }
                let times = left as f64 / (mark.left - left) as f64;
                self.rest.counts.add(&held(self.counted).growth(&mark.counted, times));
                self.rest.whole = self.rest.whole.saturating_add(grown(self.whole, mark.whole, times));
                mark.last = 0;
                budget.end();
            }
            _ => {
                let (budget, counted) = (discriminant(budget), held(self.counted).clone());
                self.mark = Some(Mark { budget, left, counted, whole: self.whole, generations: 0, last: left });
            }
        }
    }
}

impl Strategy for Hurried<'_> {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        self.hurry();
        let jobs = self.strategy.propose(history)?;
        for job in &jobs {
            if let Job::Score { candidates, examples, .. } = job
                && examples.is_none_or(|range| range.end == history.examples())
            {
                self.whole += candidates.len();
            }
        }
        Ok(jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evolve::Evolve;
    use crate::exhaustive::Exhaustive;
    use crate::fake::{Fake, space};

    /// What is left out of a strategy over 30 examples.
    fn rest(mut strategy: Evolve) -> Rest {
        let counted = Mutex::new(Counted::default());
        let mut hurried = Hurried::new(&mut strategy, &counted);
        Fake::new(30).run(&mut hurried);
        hurried.into_rest()
    }

    #[test]
    fn of_a_large_budget_some_generations_are_done_and_the_rest_is_estimated() {
        let space = space(12, 3);
        let start = || Box::new(Exhaustive::new(space.clone()));
        // A generation takes 24 * 3 + 12 * 7 + 6 * 20 = 276 evaluations: of two nothing is left out.
        assert_eq!(rest(Evolve::new(space.clone(), start(), 560, 1)), Rest::default());
        // Of 24 candidates 6 are scored on all examples. (The fake scorer counts nothing.)
        let one = rest(Evolve::beyond(space.clone(), start(), 24_000, 1));
        assert!((5_500..7_000).contains(&one.whole), "{one:?}");
        // One budget after the other: an evolution goes on beyond another.
        let inner = || Box::new(Evolve::new(space.clone(), start(), 1_000_000_000, 1));
        let two = rest(Evolve::beyond(space.clone(), inner(), 24, 2));
        assert!((19_000_000..25_000_000).contains(&two.whole), "{two:?}");
        assert!(rest(Evolve::beyond(space.clone(), inner(), usize::MAX, 2)).whole > usize::MAX / 8);
    }
}
