//! A finished search in words.

use crate::front_text::{front_text, nothing_within};
use crate::result_form::ResultForm;
use crate::sweep::Sweep;
use crate::table::sweep_table;
use crate::trace_text::{bf16_text, trace_text};
use crate::verdict_text::verdict_text;
use laser_run::{Bf16Check, CostLimits, CostedCandidate, Costs, Entries, Objective, SearchTrace, Verdict, costed};

/// What is told of a finished search.
#[derive(Debug, Clone, Copy)]
pub struct FoundText<'a> {
    /// What has been scored.
    pub entries: &'a Entries,
    /// What candidates cost elsewhere.
    pub costs: &'a Costs,
    /// What they may cost.
    pub limits: &'a CostLimits,
    /// What candidates are compared by.
    pub objective: &'a Objective,
    /// How the space was gone through.
    pub trace: &'a SearchTrace,
    /// What comparing in bf16 changed, if candidates were.
    pub bf16_checks: Option<&'a [Bf16Check]>,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// Whether reductions were to be put together.
    pub composed: bool,
}

/// The table of the candidates, how the space was gone through, gain against cost, and the verdict.
pub fn search_text(found: &FoundText) -> String {
    let FoundText { entries, costs, objective, limits, trace, bf16_checks, verdict, composed } = *found;
    let form = ResultForm { binary: verdict.is_binary() };
    let (sweep, others) = Sweep::of(&entries.candidates());
    let name = if form.binary { "Accuracy on validation, %" } else { "Mean result on validation" };
    let costed = costed(entries, costs, objective, Some(&verdict.best));
    let on_front: Vec<CostedCandidate> = costed.iter().filter(|it| it.has_row()).cloned().collect();
    let mut of_costs = String::new();
    if costed.len() > 1 {
        of_costs.push_str("Gain against cost on validation: what no other beats in both (chosen: *)\n\n");
        of_costs.push_str(&front_text(&on_front));
        of_costs.push('\n');
    }
    of_costs.push_str(&nothing_within(&costed, costs, limits).unwrap_or_default());
    format!(
        "{name} (base {}, best marked *)\n\n{}\n{}{of_costs}{}",
        form.number(verdict.base.validation.score.accuracy),
        sweep_table(&sweep, &others, form, &verdict.best, trace.dropped),
        trace_text(trace, composed),
        judged_text(bf16_checks, verdict)
    )
}

/// The verdict, after what comparing in bf16 changed, if candidates were.
pub fn judged_text(bf16_checks: Option<&[Bf16Check]>, verdict: &Verdict) -> String {
    bf16_checks.map(bf16_text).unwrap_or_default() + &verdict_text(verdict)
}
