//! A whole search: from a plan to a verdict.

use crate::error::{Error, Result};
use crate::live_report::LiveReport;
use crate::loaded_model::ScoredExamples;
use crate::search_plan::{PoolChoice, SearchPlan, SpaceChoice, StrategyChoice, layers_of, matrices_of};
use crate::session::Session;
use crate::spectra_cache::SpectraCache;
use crate::task_source::OpenTask;
use laser_edit::{Candidate, MatrixId};
use laser_engine::{ContentFreePrompts, JudgedExamples, check};
use laser_example::{Example, Score, Target};
use laser_report::{FoundText, ReadRun, RunParts, Sweep, heat_text, search_text, verdict_file};
use laser_run::{
    Bf16Check, CostLimits, Costs, Entries, ModelDescription, Objective, PredictedChange, Progress, ReusedResults,
    RunDescription, RunFolder, RunWriter, Scorer, SearchDescription, SearchTrace, Shard, Shards, Verdict,
    examples_sha256, write_whole,
};
use laser_search::{
    Beam, Compose, Evolve, Exhaustive, Finished, Gradient, Merged, Plan, Race, Strategy, grid, noise_edge,
};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// So many reductions are scored on all validation examples before they are put together.
const POOL: usize = 32;

/// With fewer validation examples than this, one right answer more is several points.
const FEW: usize = 50;

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
    composed: bool,
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

/// Of how many shards a search is put together, where another end comes of it than of one process.
fn merged(plan: &SearchPlan, shards: usize) -> Option<usize> {
    let is_same = plan.strategy == StrategyChoice::Exhaustive && plan.more.is_none();
    (!is_same).then_some(shards)
}

/// What the whole search is noted as that `shard` is a part of.
fn unsharded(plan: &SearchPlan, shard: &RunDescription, of: usize, layers: Vec<usize>) -> RunDescription {
    let search = SearchDescription { shard: None, layers, merged: merged(plan, of), ..shard.search.clone() };
    RunDescription { search, ..shard.clone() }
}

/// What is done of a search.
enum Part {
    Whole,
    Shard(Shard),
    Merge(Box<Shards>),
}

/// What does a search or a part of it.
type Conduct<T> = fn(&mut dyn Strategy, &Plan, &mut dyn Scorer, &RunWriter, &dyn Progress) -> laser_search::Result<T>;

/// A search that has come to its end.
struct Conducted<'t, T> {
    end: T,
    run: RunWriter,
    description: RunDescription,
    validation: Vec<&'t Example>,
    test: Vec<&'t Example>,
}

impl Session {
    /// Runs a search in the RUN folder `out`, or resumes it there.
    ///
    /// # Errors
    /// If the plan or the task does not fit the model, the folder holds something else, or scoring fails. What has been
    /// scored stays in the folder.
    pub fn search(&self, task: &OpenTask, plan: &SearchPlan, out: impl AsRef<Path>) -> Result<FoundEdits> {
        self.finish(plan, self.conduct(task, plan, &Part::Whole, out.as_ref(), laser_search::search)?)
    }

    /// Scores the candidates of one shard of a search in the RUN folder `out`, or resumes that. What goes on from single reductions,
    /// such as a beam, is left to [`Self::merge`].
    ///
    /// # Errors
    /// As [`Self::search`], and if there are more shards than layers.
    pub fn search_shard(
        &self,
        task: &OpenTask,
        plan: &SearchPlan,
        shard: Shard,
        out: impl AsRef<Path>,
    ) -> Result<SearchTrace> {
        Ok(self.conduct(task, plan, &Part::Shard(shard), out.as_ref(), laser_search::score_space)?.end)
    }

    /// Puts the finished shards in the RUN folder `out` together, goes on from there, and judges what is found.
    ///
    /// # Errors
    /// As [`Self::search`], and if a shard is missing or is of another search.
    pub fn merge(&self, task: &OpenTask, plan: &SearchPlan, out: impl AsRef<Path>) -> Result<FoundEdits> {
        let part = Part::Merge(Box::new(Shards::open(out.as_ref())?));
        self.finish(plan, self.conduct(task, plan, &part, out.as_ref(), laser_search::search)?)
    }

    /// Prepares a search or a part of it, and has `conduct` do it.
    fn conduct<'t, T>(
        &self,
        task: &'t OpenTask,
        plan: &SearchPlan,
        part: &Part,
        out: &Path,
        conduct: Conduct<T>,
    ) -> Result<Conducted<'t, T>> {
        let (config, progress) = (self.config(), &*self.options.progress);
        if task.task.examples.iter().any(|example| matches!(example.target, Target::Rolling { .. })) {
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
        if let Part::Merge(shards) = part
            && let Some(shard) = shards.misfit(&layers, config.layers)?
        {
            return Err(Error::ShardLayers { shard, run: out.to_owned() });
        }
        let space = match &plan.space {
            SpaceChoice::Grid { rhos, blocks, edits } => {
                grid(&layers, &matrices, blocks, rhos, task.source.paper_compat, edits)?
            }
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
                    Part::Whole | Part::Merge(_) => None,
                },
                merged: match part {
                    Part::Merge(shards) => merged(plan, shards.folders.len()),
                    Part::Whole | Part::Shard(_) => None,
                },
                dtype: plan.bf16.then(|| "bf16".to_owned()),
                device: self.options.device.name().to_owned(),
                kernel_path: Some(self.model.kernel_path()),
            },
        };
        let exhaustive = match &plan.compare {
            Some(other) => Some(RunFolder::open(other)?.scores(&description, &space)?),
            None => None,
        };
        let content_free = ContentFreePrompts::new(&task.task, &test);
        let asked = |examples: &[&Example]| task.judging.as_ref().map(|judging| judging.asked(examples)).transpose();
        let (asked_on_validation, asked_on_test) = (asked(&validation)?, asked(&test)?);
        let judged = task.judging.as_ref().zip(asked_on_validation.as_deref()).zip(asked_on_test.as_deref());
        let judged = judged.map(|((judging, on_validation), on_test)| {
            let on_validation = JudgedExamples { examples: &validation, asked: on_validation };
            (judging, [on_validation, JudgedExamples { examples: &test, asked: on_test }])
        });
        let shards: Vec<RunFolder> = match part {
            Part::Merge(shards) => shards.folders.iter().map(|(_, folder)| folder.clone()).collect(),
            Part::Whole | Part::Shard(_) => Vec::new(),
        };
        let reuse = |folder: &RunFolder| Ok(ReusedResults::of(folder, &description)?);
        let of_shards = shards.iter().map(reuse).collect::<Result<Vec<_>>>()?;
        let merged = match part {
            Part::Merge(_) => Some(Merged::new(&shards, &of_shards)?),
            Part::Whole | Part::Shard(_) => None,
        };
        let is_shard = matches!(part, Part::Shard(_));
        let mut strategy = strategy(plan.strategy, &space, exhaustive, task.source.seed, is_shard, merged);
        if let Some(more) = plan.more.filter(|_| !is_shard) {
            // Another seed than that of a strategy that evolves itself.
            let seed = task.source.seed.wrapping_add(1);
            strategy = Box::new(Evolve::beyond(space.clone(), strategy, more.get(), seed));
        }
        let other = |path: &PathBuf| reuse(&RunFolder::open(path)?);
        let reused = plan.reuse.iter().map(other).collect::<Result<Vec<_>>>()?;
        let run = match part {
            Part::Shard(shard) => {
                // What merging would refuse is told before anything is scored.
                let all = layers_of(&plan.layers, config.layers)?;
                RunWriter::check(out, &unsharded(plan, &description, shard.of, all))?;
                RunWriter::create(&shard.folder(out), &description)?
            }
            Part::Whole | Part::Merge(_) => RunWriter::create(out, &description)?,
        };
        if split.validation.len() < FEW {
            let n = split.validation.len();
            progress.note(&format!(
                "the best of many candidates on {n} validation examples is often chance: use more examples"
            ));
        }
        let scored = ScoredExamples {
            checkpoint: &self.checkpoint,
            tokenizer: &self.tokenizer,
            validation: validation.clone(),
            test: test.clone(),
            content_free: &content_free,
            text: measured.text.as_ref().map(|(text, _)| text),
            guards: measured.guard_examples()?,
            judged,
            calibration: calibration.as_ref().map(|text| &text.half),
            memory: plan.memory,
        };
        let told = Plan {
            space: &space,
            validation: &validation,
            test: &test,
            check_bf16: plan.bf16,
            run: &description,
            reused: &reused,
            shards: &of_shards,
        };
        let live = LiveReport::new(progress, run.folder().clone());
        let mut end = None;
        let mut search = |scorer: &mut dyn Scorer| {
            end = Some(conduct(&mut *strategy, &told, scorer, &run, &live)?);
            Ok(())
        };
        compared.as_ref().unwrap_or(&self.model).search(&scored, &mut search)?;
        let end = end.ok_or_else(|| laser_search::Error::NoCandidates { why: "nothing was asked for" })?;
        Ok(Conducted { end, run, description, validation, test })
    }

    /// Writes the verdict and the report of a finished search.
    fn finish(&self, plan: &SearchPlan, conducted: Conducted<Finished>) -> Result<FoundEdits> {
        let progress = &*self.options.progress;
        let Conducted { end, run, description, validation, test } = conducted;
        let Finished { verdict, trace, entries, costs, bf16_checks, ranking, objective } = end;
        run.write_verdict(&verdict_file(&verdict))?;
        let folder = run.folder().clone();
        // A report says of a locked folder that a search is running in it.
        drop(run);
        // All that it shows is at hand: the folder's files need not be read again.
        let owned = |examples: Vec<&Example>| examples.into_iter().cloned().collect();
        let parts = RunParts {
            description: Some(description),
            entries,
            validation: owned(validation),
            test: owned(test),
            costs: costs.clone(),
            trace: Some(trace.clone()),
            bf16_checks: bf16_checks.clone(),
            verdict: Some(verdict.clone()),
            problems: Vec::new(),
        };
        let read = ReadRun::of(&folder, parts);
        if let Err(error) = write_whole(&folder.report_path(), read.data.page().as_bytes()) {
            progress.note(&format!("there is no report: {error}"));
        }
        let (entries, limits) = (read.entries, plan.costs.limits);
        Ok(FoundEdits {
            verdict,
            trace,
            entries,
            costs,
            objective,
            limits,
            bf16_checks,
            ranking,
            composed: plan.pool().is_some() || plan.more.is_some(),
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

/// How the space is gone through.
fn strategy(
    choice: StrategyChoice,
    space: &[Candidate],
    exhaustive: Option<Vec<Score>>,
    seed: u64,
    is_shard: bool,
    merged: Option<Merged>,
) -> Box<dyn Strategy> {
    let space = || space.to_vec();
    let gradient = |examples| Gradient::new(space(), examples, exhaustive.clone());
    let pool = |pool| -> Box<dyn Strategy> {
        match pool {
            _ if merged.is_some() => Box::new(merged.clone().unwrap_or_default()),
            PoolChoice::Race => Box::new(Race::new(space()).with_finalists(POOL)),
            PoolChoice::Gradient { examples } => Box::new(gradient(examples).with_finalists(POOL)),
        }
    };
    match choice {
        // What single reductions give is all that a shard is asked for.
        StrategyChoice::Compose { pool: choice }
        | StrategyChoice::Beam { pool: choice, .. }
        | StrategyChoice::Evolve { pool: choice, .. }
            if is_shard =>
        {
            pool(choice)
        }
        StrategyChoice::Race | StrategyChoice::Gradient { .. } if merged.is_some() => pool(PoolChoice::Race),
        StrategyChoice::Exhaustive => Box::new(Exhaustive::new(space())),
        StrategyChoice::Race => Box::new(Race::new(space())),
        StrategyChoice::Gradient { examples } => Box::new(gradient(examples)),
        StrategyChoice::Compose { pool: choice } => Box::new(Compose::new(space(), pool(choice))),
        StrategyChoice::Beam { pool: choice, width } => Box::new(Beam::new(space(), pool(choice), width)),
        StrategyChoice::Evolve { pool: choice, evaluations } => {
            Box::new(Evolve::new(space(), pool(choice), evaluations, seed))
        }
    }
}
