//! `laser search --dry-run`: what the search would take.

use crate::cli::Global;
use crate::output::{self, duration};
use laser::DryRun;
use laser_report::thousands;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// What a search would take, as the program prints it.
#[derive(Serialize, JsonSchema)]
pub struct DryRunDocument<'a> {
    /// The RUN folder that it would have.
    run: String,
    /// What it would take.
    dry_run: &'a DryRun,
}

pub fn tell(found: &DryRun, run: &Path, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::print_json(&DryRunDocument { run: output::shown(run), dry_run: found });
    }
    output::print(&text(found))
}

fn text(found: &DryRun) -> String {
    let number = |count: usize| thousands(count as u64);
    let costs = match found.costs {
        0 => "none are measured".to_owned(),
        count => format!("of {} candidates", number(count)),
    };
    let kept = match found.kept {
        Some(bytes) => format!("up to {} of activations and decompositions (--memory)", gigabytes(bytes)),
        None => "half of what is free on the GPU beside them".to_owned(),
    };
    format!(
        "examples     {} to choose on, {} to judge on
candidates   {} in the space
strategy     {}: about {} evaluations, where an exhaustive search has {}
costs        {costs}
time         about {}: an example took {:.4} s under the unedited model
memory       {} of weights, {kept}
What a strategy asks for depends on what it finds: it may be more or less.
",
        number(found.validation),
        number(found.test),
        number(found.space),
        found.strategy,
        number(found.evaluations),
        number(found.exhaustive),
        duration(found.seconds),
        found.example_seconds,
        gigabytes(found.weights),
    )
}

/// Bytes as gigabytes.
pub fn gigabytes(bytes: usize) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_in_round_figures() {
        let found = DryRun {
            strategy: "race",
            space: 1470,
            validation: 200,
            test: 800,
            evaluations: 26_960,
            exhaustive: 294_200,
            costs: 18,
            example_seconds: 0.0213,
            seconds: 400.0,
            weights: 650_000_000,
            kept: Some(6_000_000_000),
        };
        let expected = "examples     200 to choose on, 800 to judge on
candidates   1,470 in the space
strategy     race: about 26,960 evaluations, where an exhaustive search has 294,200
costs        of 18 candidates
time         about 7 min: an example took 0.0213 s under the unedited model
memory       0.7 GB of weights, up to 6.0 GB of activations and decompositions (--memory)
What a strategy asks for depends on what it finds: it may be more or less.
";
        assert_eq!(text(&found), expected);
    }
}
