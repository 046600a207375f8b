//! Every candidate of the space.

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::strategy::Strategy;
use laser_edit::Candidate;

/// Scores every candidate.
#[derive(Debug, Clone)]
pub struct Exhaustive {
    /// None once they have been asked for.
    space: Option<Vec<Candidate>>,
}

impl Exhaustive {
    /// Scores every candidate of `space`.
    pub fn new(space: Vec<Candidate>) -> Self {
        Self { space: Some(space) }
    }
}

impl Strategy for Exhaustive {
    fn propose(&mut self, _: &History) -> Result<Vec<Job>> {
        Ok(self.space.take().map(|space| Job::score("validation", space)).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, space};

    #[test]
    fn every_candidate_is_scored_once() {
        let (space, mut fake) = (space(4, 3), Fake::new(10));
        fake.run(&mut Exhaustive::new(space.clone()));
        assert_eq!(fake.asked, [("validation".to_owned(), space.len(), None)]);
        assert!(space.iter().all(|candidate| fake.history().entry(candidate).is_some()));
    }
}
