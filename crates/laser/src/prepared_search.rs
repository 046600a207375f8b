//! A search before anything is scored: what is asked for, and what it takes to score it.

use crate::calibration_text::CalibrationText;
use crate::cost_plan::OpenCosts;
use crate::error::{Error, Result};
use crate::loaded_model::{LoadedModel, RunSearch, ScoredExamples};
use crate::made_task::Judging;
use crate::search_plan::{SearchPlan, SpaceChoice, StrategyChoice, layers_of, matrices_of};
use crate::session::Session;
use crate::spectra_cache::SpectraCache;
use crate::task_source::OpenTask;
use laser_edit::{Candidate, MatrixId};
use laser_engine::{Asked, ContentFreePrompts, JudgedExamples, check};
use laser_example::Example;
use laser_run::{ModelDescription, RunDescription, SearchDescription, Shard, Shards, examples_sha256};
use laser_search::{grid, noise_edge};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What is done of a search.
pub(crate) enum Part {
    Whole,
    Shard(Shard),
    /// The shards of the RUN folder are put together.
    Merge(PathBuf, Box<Shards>),
    /// What another process asks for is scored.
    Worker,
}

/// A search that is checked and described.
pub(crate) struct PreparedSearch<'t> {
    pub space: Vec<Candidate>,
    pub description: RunDescription,
    pub validation: Vec<&'t Example>,
    pub test: Vec<&'t Example>,
    content_free: ContentFreePrompts,
    measured: OpenCosts,
    calibration: Option<CalibrationText>,
    /// Who judges, and what is asked on validation and on test.
    judged: Option<(&'t Judging, [Vec<Asked>; 2])>,
    /// The model that compares candidates, if it is another one.
    compared: Option<Box<dyn LoadedModel>>,
}

/// Of how many shards a search is put together, where another end comes of it than of one process.
pub(crate) fn merged(plan: &SearchPlan, shards: usize) -> Option<usize> {
    let is_same = plan.strategy == StrategyChoice::Exhaustive && plan.more.is_none();
    (!is_same).then_some(shards)
}

impl Session {
    /// Checks a search, and opens what it needs.
    pub(crate) fn prepare<'t>(&self, task: &'t OpenTask, plan: &SearchPlan, part: &Part) -> Result<PreparedSearch<'t>> {
        let config = self.config();
        if task.task.examples.iter().any(|example| !example.is_answered()) {
            return Err(Error::NothingRight { task: task.task.name.clone() });
        }
        let split = task.split()?;
        let measured = self.costs(&plan.costs, task)?;
        let (mut layers, matrices) = (layers_of(&plan.layers, config.layers)?, matrices_of(&plan.matrices, config)?);
        if let Part::Shard(shard) = part {
            let count = layers.len();
            layers = shard.layers(&layers, config.layers).to_vec();
            if layers.is_empty() {
                return Err(Error::EmptyShard { shard: *shard, layers: count });
            }
        }
        if let Part::Merge(run, shards) = part
            && let Some(shard) = shards.misfit(&layers, config.layers)?
        {
            return Err(Error::ShardLayers { shard, run: run.clone() });
        }
        let space = match &plan.space {
            SpaceChoice::Grid { rhos, blocks, edits } => {
                grid(&layers, &matrices, blocks, rhos, task.source.paper_compat, edits)?
            }
            // A worker is told what to score, and a truncation needs nothing else.
            SpaceChoice::NoiseEdge if matches!(part, Part::Worker) => Vec::new(),
            SpaceChoice::NoiseEdge => match (self.above_noise(&layers, &matrices), part) {
                // Others may have what this one lacks.
                (Err(Error::Search(error)), Part::Shard(_))
                    if matches!(*error, laser_search::Error::NoCandidates { .. }) =>
                {
                    Vec::new()
                }
                (space, _) => space?,
            },
        };
        let compared = plan.bf16.then(|| self.model.comparing_in_bf16()).transpose()?;
        match &task.judging {
            Some(judging) => {
                for asked in judging.asked(&task.task.examples.iter().collect::<Vec<_>>())? {
                    check(config, &self.tokenizer, &asked.examples)?;
                }
            }
            None => check(config, &self.tokenizer, &task.task.examples)?,
        }
        for edit in space.iter().flat_map(Candidate::interventions) {
            edit.check(config)?;
        }
        let calibration = self.calibration(space.iter().flat_map(Candidate::interventions))?;
        let (rho, blocks, edits) = match &plan.space {
            SpaceChoice::Grid { rhos, blocks, edits } => (
                rhos.iter().map(|rho| rho.get()).collect(),
                blocks.iter().map(|blocks| blocks.get()).collect(),
                edits.iter().map(ToString::to_string).collect(),
            ),
            SpaceChoice::NoiseEdge => (Vec::new(), vec![1], Vec::new()),
        };
        let (validation, test) = (task.pick(&split.validation), task.pick(&split.test));
        let description = RunDescription {
            examples_sha256: examples_sha256(&validation, &test),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: ModelDescription {
                path: self.source.location.display().to_string(),
                files: self.checkpoint.fingerprint()?,
                architecture: self.source.architecture.as_ref().map(|path| path.display().to_string()),
            },
            task: task.description(),
            search: SearchDescription {
                strategy: plan.name().to_owned(),
                gradient_examples: plan.gradient_examples(),
                start: plan.pool().map(|pool| pool.name().to_owned()),
                width: plan.width(),
                evaluations: plan.evaluations(),
                more: plan.more.map(NonZeroUsize::get),
                matrices,
                layers,
                rho,
                blocks,
                edits,
                randomised: task.source.paper_compat && plan.space != SpaceChoice::NoiseEdge,
                limit: task.source.limit,
                first: task.source.first,
                seed: task.source.seed,
                split_first: task.source.splits_first(),
                validation: task.unusual_validation(),
                chat: self.options.chat,
                text: measured.text.as_ref().map(|(_, description)| description.clone()),
                tasks: task.tasks.clone(),
                limits: plan.costs.limits,
                guards: measured.guard_descriptions(),
                cost_all: plan.costs.all,
                calibration: calibration.as_ref().map(|text| text.description.clone()),
                shard: match part {
                    Part::Shard(shard) => Some(*shard),
                    Part::Whole | Part::Worker | Part::Merge(..) => None,
                },
                merged: match part {
                    Part::Merge(_, shards) => merged(plan, shards.folders.len()),
                    Part::Whole | Part::Worker | Part::Shard(_) => None,
                },
                dtype: plan.bf16.then(|| "bf16".to_owned()),
                device: self.options.device.name().to_owned(),
                kernel_path: Some(self.model.kernel_path()),
            },
        };
        let asked = |examples: &[&Example]| task.judging.as_ref().map(|judging| judging.asked(examples)).transpose();
        let asked = asked(&validation)?.zip(asked(&test)?);
        let judged = task.judging.as_ref().zip(asked.map(|(on_validation, on_test)| [on_validation, on_test]));
        let content_free = ContentFreePrompts::new(&task.task, &test);
        Ok(PreparedSearch {
            space,
            description,
            validation,
            test,
            content_free,
            measured,
            calibration,
            judged,
            compared,
        })
    }

    /// The candidates of the noise edge. Spectra are kept for the next time.
    fn above_noise(&self, layers: &[usize], matrices: &[MatrixId]) -> Result<Vec<Candidate>> {
        let (spectra, progress, config) = (SpectraCache::open(), &self.options.progress, self.config());
        let each = matrices.iter().map(|matrix| matrix.each(config).len()).sum::<usize>();
        progress.start("spectra", layers.len() * each, 0);
        let candidates = noise_edge(config, layers, matrices, |layer, matrix| -> Result<usize> {
            progress.advance(1);
            Ok(spectra.spectrum(&self.checkpoint, layer, matrix)?.noise_edge().rank)
        });
        progress.finish();
        let candidates = candidates?;
        let all = layers.len() * matrices.len();
        let left_out = all - candidates.len();
        if left_out > 0 {
            progress.note(&format!(
                "{left_out} of {all} matrices are left out: all their singular values lie on one side of the noise edge"
            ));
        }
        Ok(candidates)
    }
}

impl PreparedSearch<'_> {
    /// Runs `search` with a scorer of the model of `session`, which may keep so many bytes.
    pub fn run(&self, session: &Session, memory: Option<usize>, search: &mut RunSearch) -> Result<()> {
        let Self { validation, test, .. } = self;
        let judged = self.judged.as_ref().map(|(judging, [on_validation, on_test])| {
            let on_validation = JudgedExamples { examples: validation, asked: on_validation };
            (*judging, [on_validation, JudgedExamples { examples: test, asked: on_test }])
        });
        let scored = ScoredExamples {
            checkpoint: &session.checkpoint,
            tokenizer: &session.tokenizer,
            validation: validation.clone(),
            test: test.clone(),
            content_free: &self.content_free,
            text: self.measured.text.as_ref().map(|(text, _)| text),
            guards: self.measured.guard_examples()?,
            judged,
            calibration: self.calibration.as_ref().map(|text| &text.half),
            memory,
        };
        self.compared.as_ref().unwrap_or(&session.model).search(&scored, search)
    }
}
