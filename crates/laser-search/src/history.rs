//! All results so far, as strategies see them.

use crate::error::{Error, Result};
use laser_edit::Candidate;
use laser_run::{Cost, CostLimits, Costs, Entries, Entry, ExampleRange, Objective, PredictedChange, SplitName};
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
    objective: Option<&'a Objective>,
}

impl<'a> History<'a> {
    /// A history of `entries` over examples that races take in the order `order`, a permutation of their numbers.
    pub fn new(
        entries: &'a Entries,
        order: &'a [usize],
        ranking: Option<&'a [PredictedChange]>,
        costs: &'a Costs,
    ) -> Self {
        Self { entries, order, ranking, costs, limits: CostLimits::default(), measures_costs: false, objective: None }
    }

    /// The same of a search that can measure costs; candidates are to be within `limits`.
    pub fn within(self, limits: CostLimits) -> Self {
        Self { limits, measures_costs: true, ..self }
    }

    /// The same of a search that compares candidates by `objective`; else they are by their mean result.
    pub fn comparing_by(self, objective: &'a Objective) -> Self {
        Self { objective: Some(objective), ..self }
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

    /// The results of the unedited model on the examples of `ranges`, in their order, as they count.
    ///
    /// # Errors
    /// It has not been scored.
    pub fn base_on(&self, ranges: &[ExampleRange]) -> Result<Vec<f64>> {
        let values = self.scored(&Candidate::base())?.values();
        let values = self.numbers(ranges).filter_map(|i| values.get(i).copied()).collect();
        Ok(self.weighted(ranges, values))
    }

    /// What a candidate gave on the examples of `ranges`, as far as it has been scored on each, as it counts.
    pub fn values_on(&self, candidate: &Candidate, ranges: &[ExampleRange]) -> Vec<f64> {
        let values = ranges.iter().filter_map(|&range| self.on(candidate, range)).flat_map(Entry::values).collect();
        self.weighted(ranges, values)
    }

    /// By how much each example of an entry counts for more than under the unedited model, and by how much its log-loss is lower;
    /// nothing before that has been scored.
    pub fn gains(&self, entry: &Entry) -> Vec<[f64; 2]> {
        let Some(unedited) = self.entry(&Candidate::base()) else { return Vec::new() };
        let base = unedited.values();
        let numbers: Vec<usize> = match entry.part {
            Some(part) => self.numbers(&[part]).collect(),
            None => (0..base.len()).collect(),
        };
        let (values, losses) = (numbers.iter().zip(entry.values()), numbers.iter().zip(&entry.log_loss));
        let values = values.filter_map(|(&i, value)| Some(value - base.get(i)?)).collect();
        let losses = losses.filter_map(|(&i, loss)| Some(unedited.log_loss.get(i)? - loss)).collect();
        let weighted = |gains| match self.objective {
            Some(objective) => objective.weighted(numbers.iter().copied(), gains),
            None => gains,
        };
        weighted(values).into_iter().zip(weighted(losses)).map(|(value, loss)| [value, loss]).collect()
    }

    fn numbers(&self, ranges: &[ExampleRange]) -> impl Iterator<Item = usize> {
        ranges.iter().flat_map(|range| &self.order[range.start..range.end]).copied()
    }

    fn weighted(&self, ranges: &[ExampleRange], values: Vec<f64>) -> Vec<f64> {
        match self.objective {
            Some(objective) => objective.weighted(self.numbers(ranges), values),
            None => values,
        }
    }

    /// Whether results, as they count, are right or wrong, nothing between.
    pub fn is_binary(&self) -> bool {
        self.objective.is_none_or(Objective::is_plain) && self.entry(&Candidate::base()).is_none_or(Entry::is_binary)
    }

    /// [`Ordering::Less`] where `a` is better than `b`.
    pub fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        self.objective.unwrap_or(&Objective::PLAIN).compare(a, b)
    }

    /// What counts of a candidate's results, greater being better.
    pub fn value(&self, entry: &Entry) -> f64 {
        self.objective.unwrap_or(&Objective::PLAIN).value(entry)
    }

    /// The ranking by gradients, the most promising candidate first, if it was asked for and is there.
    pub fn ranking(&self) -> Option<&'a [PredictedChange]> {
        self.ranking
    }
}
