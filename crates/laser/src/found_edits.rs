//! What a search found.

use laser_report::{FoundText, Sweep, heat_text, search_text};
use laser_run::{Bf16Check, CostLimits, Costs, Entries, Objective, PredictedChange, SearchTrace, Verdict};

/// What a search found: everything that it computed, or read from its RUN folder.
#[derive(Debug)]
pub struct FoundEdits {
    /// The best edits, what they are worth, and the figures for it.
    pub verdict: Verdict,
    /// How the search went through its space.
    pub trace: SearchTrace,
    /// What each candidate gave.
    pub entries: Entries,
    /// What candidates cost elsewhere, where that was measured.
    pub costs: Costs,
    /// What candidates are compared by.
    pub objective: Objective,
    /// What they may cost.
    pub limits: CostLimits,
    /// What comparing in bf16 changed, if candidates were.
    pub bf16_checks: Option<Vec<Bf16Check>>,
    /// What gradients predicted of each candidate, if they ranked them.
    pub ranking: Option<Vec<PredictedChange>>,
    /// Whether reductions were to be composed.
    pub(crate) composed: bool,
}

impl FoundEdits {
    /// The tables that a person reads.
    pub fn text(&self) -> String {
        search_text(&FoundText {
            entries: &self.entries,
            costs: &self.costs,
            objective: &self.objective,
            limits: &self.limits,
            trace: &self.trace,
            bf16_checks: self.bf16_checks.as_deref(),
            verdict: &self.verdict,
            composed: self.composed,
        })
    }

    /// The heat map in colour, for a terminal that is `width` letters wide; none where there is no room, or nothing to show.
    pub fn heat_text(&self, width: usize) -> Option<String> {
        if !self.verdict.is_binary() {
            return None;
        }
        let (sweep, _) = Sweep::of(&self.entries.candidates());
        heat_text(&sweep, self.verdict.base.validation.score.accuracy, &self.verdict.best, width)
    }
}
