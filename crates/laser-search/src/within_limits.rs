//! Which of the best candidates are within the limits on what they may cost.

use crate::history::History;
use crate::job::Job;
use laser_edit::Candidate;

/// What is known of some candidates' costs.
#[derive(Debug, PartialEq)]
pub enum WithinLimits {
    /// The numbers of the first that are within the limits.
    Known(Vec<usize>),
    /// What has to be measured before that is known.
    Unmeasured(Job),
}

/// The numbers of the first `count` of `ranked` that are within the limits, or what has to be measured to know them.
pub fn within_limits<'c>(
    history: &History,
    ranked: impl IntoIterator<Item = &'c Candidate>,
    count: usize,
) -> WithinLimits {
    let (mut found, mut unmeasured) = (Vec::new(), Vec::new());
    for (number, candidate) in ranked.into_iter().enumerate() {
        if found.len() + unmeasured.len() == count {
            break;
        }
        match history.is_within_limits(candidate) {
            Some(true) => found.push(number),
            Some(false) => {}
            None => unmeasured.push(candidate.clone()),
        }
    }
    match unmeasured.is_empty() {
        true => WithinLimits::Known(found),
        false => WithinLimits::Unmeasured(Job::MeasureCosts { candidates: unmeasured }),
    }
}
