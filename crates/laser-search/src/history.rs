//! All results so far, as strategies see them.

use crate::error::{Error, Result};
use laser_edit::Candidate;
use laser_example::Score;
use laser_run::{Cost, CostLimits, Costs, Entries, Entry, ExampleRange, PredictedChange, SplitName};
use std::cmp::Ordering;

/// What candidates gave on the validation split.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    entries: &'a Entries,
    /// The examples' numbers in the races' order.
    order: &'a [usize],
    ranking: Option<&'a [PredictedChange]>,
    costs: &'a Costs,
    limits: CostLimits,
    /// Whether costs can be measured.
    measures_costs: bool,
}

impl<'a> History<'a> {
    /// A history of `entries` over examples that races take in the order `order`, a permutation of their numbers.
    pub fn new(
        entries: &'a Entries,
        order: &'a [usize],
        ranking: Option<&'a [PredictedChange]>,
        costs: &'a Costs,
    ) -> Self {
        Self { entries, order, ranking, costs, limits: CostLimits::default(), measures_costs: false }
    }

    /// The same of a search that can measure costs; candidates are to be within `limits`.
    pub fn within(self, limits: CostLimits) -> Self {
        Self { limits, measures_costs: true, ..self }
    }

    /// Whether costs can be measured.
    pub fn measures_costs(&self) -> bool {
        self.measures_costs
    }

    /// What candidates may cost.
    pub fn limits(&self) -> &CostLimits {
        &self.limits
    }

    /// What a candidate costs elsewhere, on the half that serves choosing, if that has been measured.
    pub fn cost(&self, candidate: &Candidate) -> Option<&'a Cost> {
        self.costs.get(SplitName::Validation, candidate)
    }

    /// Whether a candidate is within the limits; none where it has to be measured first.
    pub fn is_within_limits(&self, candidate: &Candidate) -> Option<bool> {
        if self.limits.is_none() {
            return Some(true);
        }
        Some(self.limits.admit(self.cost(&Candidate::base())?, self.cost(candidate)?))
    }

    /// How many examples the split has.
    pub fn examples(&self) -> usize {
        self.order.len()
    }

    /// What a candidate gave on the whole split, if it has been scored.
    pub fn entry(&self, candidate: &Candidate) -> Option<&'a Entry> {
        self.entries.get(SplitName::Validation, candidate)
    }

    /// What a candidate gave on some examples.
    pub fn on(&self, candidate: &Candidate, range: ExampleRange) -> Option<&'a Entry> {
        self.entries.get_on(SplitName::Validation, candidate, Some(range))
    }

    /// What a candidate gave on the whole split.
    ///
    /// # Errors
    /// It has not been scored.
    pub fn scored(&self, candidate: &Candidate) -> Result<&'a Entry> {
        self.entry(candidate).ok_or_else(|| Error::NotScored { candidate: candidate.to_string() })
    }

    /// The results of the unedited model on the examples of `ranges`, in their order.
    ///
    /// # Errors
    /// It has not been scored.
    pub fn base_on(&self, ranges: &[ExampleRange]) -> Result<Vec<f64>> {
        let values = self.scored(&Candidate::base())?.values();
        let places = ranges.iter().flat_map(|range| &self.order[range.start..range.end]);
        Ok(places.filter_map(|&i| values.get(i).copied()).collect())
    }

    /// Whether results are right or wrong, nothing between.
    pub fn is_binary(&self) -> bool {
        self.entry(&Candidate::base()).is_none_or(Entry::is_binary)
    }

    /// The ranking by gradients, the most promising candidate first, if it was asked for and is there.
    pub fn ranking(&self) -> Option<&'a [PredictedChange]> {
        self.ranking
    }
}

/// Better first: by accuracy, then by log-loss.
pub fn by_score(a: &Score, b: &Score) -> Ordering {
    b.accuracy.total_cmp(&a.accuracy).then(a.log_loss.total_cmp(&b.log_loss))
}
