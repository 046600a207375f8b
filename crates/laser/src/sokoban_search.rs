//! A search whose examples are levels of Sokoban, played by a Decision Transformer.

use crate::error::Result;
use crate::found_edits::FoundEdits;
use crate::live_report::LiveReport;
use crate::search_plan::{layers_of, matrices_of};
use crate::search_run::{Conducted, finish};
use laser_decision::{EpisodeScorer, EpisodeWorth, Policy};
use laser_edit::{Layers, MatrixGroup};
use laser_example::{Example, Target};
use laser_matrix::Rho;
use laser_run::{
    CostLimits, ModelDescription, Progress, RunDescription, RunWriter, SearchDescription, TaskDescription, TaskReading,
    examples_sha256,
};
use laser_search::{Exhaustive, Plan, grid};
use laser_sokoban::{Level, Plan as Planned, Planner, moves_text, picture, write_levels};
use sha2::{Digest, Sha256};
use std::num::NonZeroUsize;
use std::path::Path;

/// Which reductions are tried, and on which levels.
#[derive(Debug, Clone)]
pub struct LevelsPlan {
    /// Where the model is.
    pub model: String,
    /// What the levels are called.
    pub spec: String,
    /// The levels that candidates are chosen on.
    pub validation: Vec<Level>,
    /// The levels that only the base and the chosen candidate see.
    pub test: Vec<Level>,
    /// What candidates are compared by.
    pub worth: EpisodeWorth,
    /// The matrices.
    pub matrices: Vec<MatrixGroup>,
    /// The layers; none for all.
    pub layers: Vec<Layers>,
    /// The kept fractions.
    pub rhos: Vec<Rho>,
    /// The seed of bootstrap and randomisation tests.
    pub seed: u64,
}

/// Scores every reduction of the plan on the validation levels and the best one on the test levels,
/// in the RUN folder `out`, or resumes that there.
///
/// # Errors
/// The plan does not fit the model, the folder holds something else, or playing fails.
pub fn search_levels(plan: &LevelsPlan, policy: &Policy, out: &Path, progress: &dyn Progress) -> Result<FoundEdits> {
    let config = policy.model().config();
    let (layers, matrices) = (layers_of(&plan.layers, config.layers)?, matrices_of(&plan.matrices, config)?);
    let space = grid(&layers, &matrices, &[NonZeroUsize::MIN], &plan.rhos, false, &[])?;
    let (validation, test) = (examples(&plan.validation, "validation"), examples(&plan.test, "test"));
    let (validation, test): (Vec<&Example>, Vec<&Example>) = (validation.iter().collect(), test.iter().collect());
    let digest = Sha256::new().chain_update(write_levels(&plan.validation)).chain_update(write_levels(&plan.test));
    let digest = digest.chain_update(policy.move_choice().to_string());
    let description = RunDescription {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: ModelDescription {
            path: plan.model.clone(),
            files: policy.checkpoint().fingerprint()?,
            architecture: None,
        },
        task: TaskDescription {
            spec: format!("{}, by {}", plan.spec, policy.move_choice()),
            digest: digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            examples: validation.len() + test.len(),
            results: plan.worth.kind(),
            cut_prompts: 0,
            skipped_rows: 0,
            reading: TaskReading::default(),
        },
        search: SearchDescription {
            strategy: "exhaustive".to_owned(),
            gradient_examples: None,
            start: None,
            width: None,
            evaluations: None,
            more: None,
            matrices,
            layers,
            rho: plan.rhos.iter().map(|rho| rho.get()).collect(),
            edits: Vec::new(),
            blocks: vec![1],
            randomised: false,
            limit: None,
            first: None,
            seed: plan.seed,
            split_first: true,
            validation: Some(validation.len() as f64 / (validation.len() + test.len()) as f64),
            chat: false,
            text: None,
            calibration: None,
            tasks: Vec::new(),
            limits: CostLimits::default(),
            guards: Vec::new(),
            cost_all: false,
            shard: None,
            merged: None,
            dtype: None,
            device: "cpu".to_owned(),
            kernel_path: Some(laser_kernels::Backend::kernel_path(policy.model().backend())),
        },
        examples_sha256: examples_sha256(&validation, &test),
    };
    let run = RunWriter::create(out, &description)?;
    let told = Plan {
        space: &space,
        validation: &validation,
        test: &test,
        check_bf16: false,
        run: &description,
        reused: &[],
        shards: &[],
    };
    let mut scorer = EpisodeScorer::new(policy, plan.worth, [plan.validation.clone(), plan.test.clone()]);
    let live = LiveReport::new(progress, run.folder().clone());
    let end = laser_search::search(&mut Exhaustive::new(space.clone()), &told, &mut scorer, &run, &live)?;
    finish(progress, CostLimits::default(), false, Conducted { end, run, description, validation, test })
}

/// Levels as examples: the prompt is the level, the solution is the planner's.
fn examples(levels: &[Level], split: &str) -> Vec<Example> {
    let example = |(number, level): (usize, &Level)| {
        let solution = match Planner::default().plan(level) {
            Planned::Solved(solution) => moves_text(solution.moves),
            Planned::Unsolvable | Planned::OutOfNodes => "unknown".to_owned(),
        };
        let id = format!("{split}-{number}");
        Example {
            group: id.clone(),
            id,
            prompt: picture(level, &level.start()),
            turns: Vec::new(),
            delimiter: String::new(),
            delimits_in_chat: false,
            target: Target::Episode { solution },
        }
    };
    levels.iter().enumerate().map(example).collect()
}
