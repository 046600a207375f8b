//! Gain against cost, as a table.

use crate::table::aligned;
use laser_edit::Candidate;
use laser_run::{CostLimits, CostedCandidate, Costs, SplitName};
use std::fmt::Write;

/// Candidates with what they gain and cost; those that have a row in the front have its number, which `laser apply --pick`
/// takes, and what was chosen is marked.
pub fn front_text(front: &[CostedCandidate]) -> String {
    let mut header =
        ["", "accuracy, %", "log-loss", "KL, nats", "perplexity", "weights saved"].map(str::to_owned).to_vec();
    let guards = front.first().map_or(0, |candidate| candidate.guards.len());
    header.extend((1..=guards).map(|number| format!("guard {number}, points")));
    header.push("edits".to_owned());
    let mut rows = vec![header];
    let mut number = 0;
    for candidate in front {
        let mark = if candidate.chosen { "*" } else { "" };
        let place = if candidate.has_row() { format!("{number}{mark}") } else { String::new() };
        number += usize::from(candidate.has_row());
        let mut row = vec![
            place,
            format!("{:.1}", 100.0 * candidate.validation.accuracy),
            format!("{:.3}", candidate.validation.log_loss),
            format!("{:.4}", candidate.kl),
            format!("{:+.1} %", 100.0 * candidate.perplexity_growth),
            thousands(candidate.saved_weights),
        ];
        row.extend(candidate.guards.iter().map(|change| format!("{:+.1}", 100.0 * change)));
        row.push(candidate.interventions.to_string());
        rows.push(row);
    }
    aligned(&rows)
}

/// A number with its thousands apart.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What is said where no candidate is within the limits; nothing otherwise.
pub fn nothing_within(costed: &[CostedCandidate], costs: &Costs, limits: &CostLimits) -> Option<String> {
    let base = costs.get(SplitName::Validation, &Candidate::base()).filter(|_| !limits.is_none())?;
    let share = |it: &CostedCandidate| Some(limits.share(base, costs.get(SplitName::Validation, &it.interventions)?));
    let edited = costed.iter().filter(|it| !it.interventions.interventions().is_empty());
    let (nearest, share) =
        edited.filter_map(|it| Some((it, share(it)?))).min_by(|a, b| a.1.total_cmp(&b.1)).filter(|it| it.1 > 1.0)?;
    let guards: String = nearest.guards.iter().map(|it| format!(", {:+.1} points on a guard", 100.0 * it)).collect();
    let mut text =
        String::from("No candidate that was scored on all examples is within the limits, so nothing is chosen. ");
    let _ = writeln!(
        text,
        "The nearest is {} with {:.4} nats, perplexity {:+.1} %{guards}: {}.",
        nearest.interventions,
        nearest.kl,
        100.0 * nearest.perplexity_growth,
        if share.is_finite() { format!("{share:.2} times what they allow") } else { "they allow no change".to_owned() },
    );
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let texts = [0, 12, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
    }
}
