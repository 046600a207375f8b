//! Gain against cost: the candidates that no other beats in both.

use crate::cost::Cost;
use crate::entries::Entries;
use crate::entry::{Entry, SplitName};
use crate::measured_costs::Costs;
use crate::objective::Objective;
use laser_edit::Candidate;
use laser_example::Score;
use schemars::JsonSchema;
use serde::Serialize;

/// A candidate whose cost is known.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CostedCandidate {
    /// The candidate; none for the unedited model.
    pub interventions: Candidate,
    /// Its score on validation.
    pub validation: Score,
    /// Its divergence from the unedited model on the half of the text that candidates are chosen by, nats per token.
    pub kl: f64,
    /// The growth of that half's perplexity, as a fraction.
    pub perplexity_growth: f64,
    /// Mean divergence of what follows neutral prompts at once, nats.
    pub first_token_kl: f64,
    /// How many weights fewer are stored where low-rank matrices are stored as two factors.
    pub saved_weights: u64,
    /// Change of accuracy on each guard task, as a fraction.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<f64>,
    /// Whether no other candidate is as accurate at a lower divergence.
    pub on_front: bool,
    /// Whether this is what the search chose.
    pub chosen: bool,
}

/// The candidates that were scored on the whole validation split and whose cost was measured, the unedited model among them,
/// from the lowest divergence to the highest; `objective` says which gains more, `chosen` is what the search chose, if it has.
/// Nothing where costs were not measured on a text.
pub fn costed(
    entries: &Entries,
    costs: &Costs,
    objective: &Objective,
    chosen: Option<&Candidate>,
) -> Vec<CostedCandidate> {
    let unedited = Candidate::base();
    let measured = costs.get(SplitName::Validation, &unedited).filter(|cost| !cost.text.is_empty());
    let Some(base) = measured else { return Vec::new() };
    let of = |entry: &Entry| {
        let cost = costs.get(SplitName::Validation, &entry.interventions)?;
        let candidate = CostedCandidate {
            interventions: entry.interventions.clone(),
            validation: entry.score,
            kl: cost.kl(),
            perplexity_growth: cost.perplexity_growth(base),
            first_token_kl: cost.first_token_kl,
            saved_weights: cost.saved_weights,
            guards: guard_changes(base, cost),
            on_front: false,
            chosen: chosen == Some(&entry.interventions),
        };
        Some((objective.value(entry), candidate))
    };
    let of_base = entries.get(SplitName::Validation, &unedited);
    let mut all: Vec<(f64, CostedCandidate)> = of_base.into_iter().chain(entries.candidates()).filter_map(of).collect();
    all.sort_by(|(value_a, a), (value_b, b)| {
        let by_value = value_b.total_cmp(value_a);
        a.kl.total_cmp(&b.kl).then(by_value).then(a.validation.log_loss.total_cmp(&b.validation.log_loss))
    });
    let mut best = f64::NEG_INFINITY;
    for (value, candidate) in &mut all {
        candidate.on_front = *value > best;
        best = best.max(*value);
    }
    all.into_iter().map(|(_, candidate)| candidate).collect()
}

impl CostedCandidate {
    /// Whether it has a row in the front: it is on it, or it was chosen. Of two that are equally accurate the search chooses
    /// the one of lower log-loss, which may cost more.
    pub fn has_row(&self) -> bool {
        self.on_front || self.chosen
    }
}

/// Those of [`costed`] that have a row in the front. Along those that are on it accuracy rises from one to the next, and so
/// does the divergence.
pub fn front(
    entries: &Entries,
    costs: &Costs,
    objective: &Objective,
    chosen: Option<&Candidate>,
) -> Vec<CostedCandidate> {
    costed(entries, costs, objective, chosen).into_iter().filter(CostedCandidate::has_row).collect()
}

fn guard_changes(base: &Cost, cost: &Cost) -> Vec<f64> {
    let guards = base.guards.iter().zip(&cost.guards);
    guards.map(|(base, cost)| cost.score.accuracy - base.score.accuracy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::PassageCost;
    use crate::example_result::{ExampleResult, ResultKind};
    use crate::log::Log;

    #[test]
    fn accuracy_rises_with_cost_along_the_front() {
        let (mut entries, mut costs) = (Entries::default(), Costs::default());
        for (layer, right, kl) in [(0, 2, 0.0), (1, 4, 0.1), (2, 3, 0.2), (3, 4, 0.3), (4, 6, 0.4), (5, 6, 0.35)] {
            let one = format!(r#"[{{"layer":{layer},"matrix":"fc_in","rho":0.1}}]"#);
            let candidate = if layer == 0 { Candidate::base() } else { serde_json::from_str(&one).unwrap() };
            let results = (0..10).map(|i| ExampleResult::binary(i < right, 1.0)).collect();
            entries.push(Entry::new(SplitName::Validation, &candidate, None, ResultKind::Binary, results));
            costs.push(Cost {
                split: SplitName::Validation,
                interventions: candidate,
                text: vec![PassageCost { tokens: 1, nats: 1.0, kl }],
                first_token_kl: 0.0,
                saved_weights: 0,
                guards: Vec::new(),
            });
        }
        let layers: Vec<usize> = front(&entries, &costs, &Objective::PLAIN, None)
            .iter()
            .map(|it| it.interventions.first_edited_layer(0))
            .collect();
        assert_eq!(layers, [0, 1, 5]);
        assert_eq!(costed(&entries, &costs, &Objective::PLAIN, None).len(), 6);
        // What was chosen has a row though another is as accurate at a lower cost.
        let chosen: Candidate = serde_json::from_str(r#"[{"layer":4,"matrix":"fc_in","rho":0.1}]"#).unwrap();
        let rows: Vec<bool> =
            front(&entries, &costs, &Objective::PLAIN, Some(&chosen)).iter().map(|it| it.chosen).collect();
        assert_eq!(rows, [false, false, false, true]);
    }
}
