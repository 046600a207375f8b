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
    sum: f64,
    /// Of the gains' squares.
    squares: f64,
}

/// What candidates have gained, as far as their results were taken over.
#[derive(Debug, Default)]
pub struct Observations {
    all: Vec<Observed>,
    index: HashMap<String, usize>,
}

impl Observed {
    /// The mean gain per example.
    pub fn gain(&self) -> f64 {
        self.sum / self.examples.max(1) as f64
    }
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
            self.all.push(Observed { candidate: candidate.clone(), examples: 0, sum: 0.0, squares: 0.0 });
        }
        let observed = &mut self.all[number];
        match range {
            // On these it has been seen.
            Some(range) if range.start != observed.examples => return,
            Some(_) => {}
            None => (observed.examples, observed.sum, observed.squares) = (0, 0.0, 0.0),
        }
        observed.examples += gains.len();
        observed.sum += gains.iter().sum::<f64>();
        observed.squares += gains.iter().map(|gain| gain * gain).sum::<f64>();
    }

    /// All, in the order in which they were first scored.
    pub fn all(&self) -> &[Observed] {
        &self.all
    }

    /// What a candidate has gained, if it has been scored.
    pub fn get(&self, candidate: &Candidate) -> Option<&Observed> {
        self.index.get(&candidate.to_string()).map(|&number| &self.all[number])
    }

    /// The variance of one example's gain: over compositions, where there are some.
    pub fn noise(&self) -> f64 {
        let mean = |of: fn(usize) -> bool| {
            let (mut squares, mut examples) = (0.0, 0);
            for it in self.all.iter().filter(|it| of(it.candidate.interventions().len())) {
                squares += it.squares;
                examples += it.examples;
            }
            (examples > 0 && squares > 0.0).then(|| squares / examples as f64)
        };
        mean(|edits| edits > 1).or_else(|| mean(|edits| edits == 1)).unwrap_or(1.0)
    }
}
