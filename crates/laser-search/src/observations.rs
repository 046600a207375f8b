//! What candidates have gained over the unedited model, on whatever examples they have been scored.

use crate::history::History;
use crate::job::Job;
use laser_edit::Candidate;
use laser_run::ExampleRange;
use std::collections::HashMap;

/// What one candidate has gained.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The candidate.
    pub candidate: Candidate,
    /// On how many examples: the first in the races' order, unless it is all.
    pub examples: usize,
    /// Over them: of results and of log-loss.
    sums: [f64; 2],
    /// Of the squares of both, and of their products.
    squares: [f64; 3],
}

/// What candidates have gained, as far as their results were taken over.
#[derive(Debug, Default)]
pub struct Observations {
    all: Vec<Observed>,
    index: HashMap<String, usize>,
}

impl Observed {
    /// By how much the mean result is better.
    pub fn value(&self) -> f64 {
        self.sums[0] / self.examples.max(1) as f64
    }

    /// The mean gain per example, of results and log-loss together.
    pub fn gain(&self, noise: &Noise) -> f64 {
        (self.sums[0] / noise.deviations[0] + self.sums[1] / noise.deviations[1]) / self.examples.max(1) as f64
    }
}

/// How much one example's gain varies. Results and log-losses are added in standard deviations of one example's: on as many examples,
/// both then tell about as much. Of compositions that gain much, log-losses tell more of the accuracy on other examples than the accuracy
/// does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Of results and of log-loss; infinite where it is the same of all.
    deviations: [f64; 2],
    /// Of both together.
    pub variance: f64,
}

impl Observations {
    /// Takes over the results of a job that has been done. A journal holds later results, too, when a search is run again; what was
    /// asked for says what was known.
    pub fn take(&mut self, history: &History, job: &Job) {
        if let Job::Score { candidates, examples, .. } = job {
            for candidate in candidates.iter().filter(|it| **it != Candidate::base()) {
                self.add(history, candidate, *examples);
            }
        }
    }

    fn add(&mut self, history: &History, candidate: &Candidate, range: Option<ExampleRange>) {
        let entry = match range {
            Some(range) => history.on(candidate, range),
            None => history.entry(candidate),
        };
        let Some(gains) = entry.map(|entry| history.gains(entry)) else { return };
        let number = *self.index.entry(candidate.to_string()).or_insert(self.all.len());
        if number == self.all.len() {
            self.all.push(Observed { candidate: candidate.clone(), examples: 0, sums: [0.0; 2], squares: [0.0; 3] });
        }
        let observed = &mut self.all[number];
        match range {
            // On these it has been seen.
            Some(range) if range.start != observed.examples => return,
            Some(_) => {}
            None => (observed.examples, observed.sums, observed.squares) = (0, [0.0; 2], [0.0; 3]),
        }
        observed.examples += gains.len();
        for [value, loss] in gains {
            observed.sums[0] += value;
            observed.sums[1] += loss;
            observed.squares[0] += value * value;
            observed.squares[1] += loss * loss;
            observed.squares[2] += value * loss;
        }
    }

    /// All, in the order in which they were first scored.
    pub fn all(&self) -> &[Observed] {
        &self.all
    }

    /// What a candidate has gained, if it has been scored.
    pub fn get(&self, candidate: &Candidate) -> Option<&Observed> {
        self.index.get(&candidate.to_string()).map(|&number| &self.all[number])
    }

    /// How much one example's gain varies: over compositions, where there are some.
    pub fn noise(&self) -> Noise {
        let mean = |of: fn(usize) -> bool| {
            let (mut squares, mut examples) = ([0.0; 3], 0);
            for it in self.all.iter().filter(|it| of(it.candidate.interventions().len())) {
                squares.iter_mut().zip(it.squares).for_each(|(sum, own)| *sum += own);
                examples += it.examples;
            }
            (examples > 0 && squares[0] + squares[1] > 0.0).then(|| squares.map(|sum| sum / examples as f64))
        };
        let [of_values, of_losses, of_both] =
            mean(|edits| edits > 1).or_else(|| mean(|edits| edits == 1)).unwrap_or([1.0, 0.0, 0.0]);
        let deviations = [of_values, of_losses].map(|of| if of > 0.0 { of.sqrt() } else { f64::INFINITY });
        let counted = deviations.iter().filter(|it| it.is_finite()).count() as f64;
        Noise { deviations, variance: (counted + 2.0 * of_both / deviations[0] / deviations[1]).max(0.1) }
    }
}
