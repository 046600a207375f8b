//! Several reductions at once, the best few compositions of each size kept.

use super::compose::{Start, counted, joined, step};
use super::{Account, Step, Strategy, by_score};
use crate::Result;
use crate::run_folder::RunFolder;
use crate::sweep::Sweep;
use laser_engine::Candidate;
use std::cmp::Ordering;

/// Beam search over compositions.
#[derive(Debug, Clone)]
pub struct Beam {
    /// What finds the reductions.
    pub start: Start,
    /// How many compositions of a size are kept.
    pub width: usize,
}

impl Strategy for Beam {
    /// Of all compositions of one more reduction than those that are kept, keeps the best that are better than what they were
    /// made of. Ends when none of them is better than all before.
    fn run(&self, sweep: &mut Sweep, space: &[Candidate], run: &RunFolder) -> Result<Account> {
        let (account, pool) = self.start.pool(sweep, space, run)?;
        let (mut kept, mut steps) = (vec![Candidate::base()], Vec::new());
        loop {
            let mut larger: Vec<(Candidate, Candidate)> = Vec::new();
            for smaller in &kept {
                for addition in &pool {
                    if let Some(it) = joined(smaller, addition).filter(|it| larger.iter().all(|(other, _)| other != it))
                    {
                        larger.push((it, smaller.clone()));
                    }
                }
            }
            let candidates: Vec<Candidate> = larger.iter().map(|(it, _)| it.clone()).collect();
            sweep.score(&format!("beam {}", steps.len() + 1), &candidates)?;
            let entry = |it: &Candidate| sweep.entry(it);
            let mut better: Vec<_> = larger
                .iter()
                .filter_map(|(it, from)| Some((entry(it)?, entry(from)?)))
                .filter(|(it, from)| by_score(&it.score, &from.score) == Ordering::Less)
                .map(|(it, _)| it)
                .collect();
            better.sort_by(|a, b| by_score(&a.score, &b.score));
            better.truncate(self.width);
            kept = better.into_iter().map(|entry| entry.interventions.clone()).collect();
            let Some(best) = kept.first() else { break };
            let best = step(sweep, best)?;
            let better = |last: &Step| {
                best.accuracy > last.accuracy || (best.accuracy == last.accuracy && best.log_loss < last.log_loss)
            };
            if !steps.last().is_none_or(better) {
                break;
            }
            steps.push(best);
        }
        Ok(Account { steps, evaluations: account.evaluations + sweep.evaluations() - counted(&account), ..account })
    }
}
