//! What the lines of a search's files must fit: what was asked for, and the examples.

use crate::description::{RunDescription, SearchDescription};
use crate::entry::SplitName;
use crate::example_range::race_order;
use laser_edit::{Candidate, Intervention};

/// Strategies that score the candidates of the space alone, and put none together unless they are to go on.
const OF_SINGLE_CANDIDATES: [&str; 3] = ["exhaustive", "race", "gradient"];

/// A search, as far as lines that were read back are compared with it.
#[derive(Debug)]
pub struct ExpectedLines {
    /// What was asked for.
    pub run: RunDescription,
    /// The examples of validation and of test, once they are known.
    pub examples: Option<[usize; 2]>,
    /// The validation examples' numbers in the order in which races take them.
    pub order: Vec<usize>,
}

impl ExpectedLines {
    /// Of this search; races order its validation examples by its seed.
    pub fn new(run: RunDescription, examples: Option<[usize; 2]>) -> Self {
        let order = race_order(examples.map_or(0, |[validation, _]| validation), run.search.seed);
        Self { run, examples, order }
    }

    /// How many examples a split has, if that is known.
    pub fn examples_of(&self, split: SplitName) -> Option<usize> {
        let [validation, test] = self.examples?;
        Some(if split == SplitName::Validation { validation } else { test })
    }

    /// What is wrong with a candidate of this search.
    pub fn misfit(&self, candidate: &Candidate) -> Option<String> {
        let search = &self.run.search;
        let edits = candidate.interventions();
        let composed = edits.windows(2).any(|pair| {
            let matrix = |it: &Intervention| (it.layer, it.matrix.kind);
            matrix(&pair[0]) != matrix(&pair[1])
        });
        let outside = edits.iter().any(|edit| !is_asked(search, edit))
            || (composed && search.more.is_none() && OF_SINGLE_CANDIDATES.contains(&search.strategy.as_str()));
        outside.then(|| format!("{candidate} is not in the space that run.json names"))
    }
}

fn is_asked(search: &SearchDescription, edit: &Intervention) -> bool {
    // A caller of the library may describe no space.
    if search.layers.is_empty() {
        return true;
    }
    let Intervention { layer, matrix, edit } = edit;
    let finds_ranks = search.rho.is_empty() && search.edits.is_empty();
    let in_grid = |(blocks, rho)| search.blocks.contains(&blocks) && search.rho.contains(&rho);
    let is_method = finds_ranks || edit.grid_point().is_some_and(in_grid) || search.edits.contains(&edit.to_string());
    search.layers.contains(layer) && search.matrices.iter().any(|asked| asked.overlaps(*matrix)) && is_method
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misfit(strategy: &str, candidate: &str) -> Option<String> {
        let run = serde_json::from_value(serde_json::json!({
            "version": "1", "model": {"path": "", "files": []}, "task": {"spec": "", "digest": "", "examples": 8},
            "search": {
                "strategy": strategy, "matrices": ["fc_in", "q_proj"], "layers": [1, 2], "rho": [0.5, 0.1],
                "blocks": [1, 4], "edits": ["zero"], "limit": null, "seed": 3, "split_first": false, "device": "cpu",
            },
        }));
        ExpectedLines::new(run.unwrap(), None).misfit(&serde_json::from_str(candidate).unwrap())
    }

    #[test]
    fn a_candidate_is_made_of_what_was_asked_for() {
        for inside in [
            "[]",
            r#"[{"layer":1,"matrix":"fc_in","rho":0.5}]"#,
            r#"[{"layer":2,"matrix":"fc_in[3]","blocks":4,"rho":0.1}]"#,
            r#"[{"layer":2,"matrix":"q_proj","zero":true}]"#,
        ] {
            assert_eq!(misfit("race", inside), None, "{inside}");
        }
        for outside in [
            r#"[{"layer":3,"matrix":"fc_in","rho":0.5}]"#,
            r#"[{"layer":1,"matrix":"fc_out","rho":0.5}]"#,
            r#"[{"layer":1,"matrix":"fc_in","rho":0.2}]"#,
            r#"[{"layer":1,"matrix":"fc_in","blocks":2,"rho":0.5}]"#,
            r#"[{"layer":1,"matrix":"fc_in","prune":0.9}]"#,
        ] {
            assert!(misfit("beam", outside).is_some_and(|why| why.contains("run.json")), "{outside}");
        }
        let two = r#"[{"layer":1,"matrix":"fc_in","rho":0.5},{"layer":2,"matrix":"fc_in","rho":0.5}]"#;
        assert!(misfit("race", two).is_some() && misfit("beam", two).is_none());
    }
}
