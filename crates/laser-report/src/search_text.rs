//! A finished search in words.

use crate::table::sweep_table;
use crate::trace_text::{bf16_text, trace_text};
use crate::verdict_text::verdict_text;
use laser_run::{Bf16Check, Entries, Entry, SearchTrace, SplitName, Verdict};

/// The table of the candidates, how the space was gone through, and the verdict. `composed`: reductions were to be put together.
pub fn search_text(
    entries: &Entries,
    trace: &SearchTrace,
    bf16_checks: Option<&[Bf16Check]>,
    verdict: &Verdict,
    composed: bool,
) -> String {
    let mut whole: Vec<&Entry> =
        entries.all().iter().filter(|it| it.split == SplitName::Validation && it.part.is_none()).collect();
    whole.sort_by_key(|entry| entry.interventions.first_edited_layer(usize::MAX));
    format!(
        "Accuracy on validation, % (base {:.1}, best marked *)\n\n{}\n{}{}",
        100.0 * verdict.base.validation.score.accuracy,
        sweep_table(&whole, &verdict.best, trace.dropped),
        trace_text(trace, composed),
        judged_text(bf16_checks, verdict)
    )
}

/// The verdict, after what comparing in bf16 changed, if candidates were.
pub fn judged_text(bf16_checks: Option<&[Bf16Check]>, verdict: &Verdict) -> String {
    bf16_checks.map(bf16_text).unwrap_or_default() + &verdict_text(verdict)
}
