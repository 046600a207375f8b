//! A whole search: from a plan to a verdict.

use crate::error::Result;
use crate::found_edits::FoundEdits;
use crate::live_report::LiveReport;
use crate::prepared_search::{Part, PreparedSearch, merged};
use crate::report_file::write_page;
use crate::search_plan::{PoolChoice, SearchPlan, StrategyChoice, layers_of};
use crate::session::Session;
use crate::task_source::OpenTask;
use laser_edit::Candidate;
use laser_example::{Example, Score};
use laser_report::{ReadRun, RunParts, verdict_file};
use laser_run::{
    CostLimits, Progress, ReusedResults, RunDescription, RunFolder, RunWriter, Scorer, SearchDescription, SearchTrace,
    Shard, Shards,
};
use laser_search::{Beam, Compose, Evolve, Exhaustive, Finished, Gradient, Merged, Plan, Race, Strategy};
use std::path::{Path, PathBuf};

/// So many reductions are scored on all validation examples before they are put together.
const POOL: usize = 32;

/// With fewer validation examples than this, one right answer more is several points.
const FEW: usize = 50;

/// What the whole search is noted as that `shard` is a part of.
fn unsharded(plan: &SearchPlan, shard: &RunDescription, of: usize, layers: Vec<usize>) -> RunDescription {
    let search = SearchDescription { shard: None, layers, merged: merged(plan, of), ..shard.search.clone() };
    RunDescription { search, ..shard.clone() }
}

/// What does a search or a part of it.
pub(crate) type Conduct<T> =
    fn(&mut dyn Strategy, &Plan, &mut dyn Scorer, &RunWriter, &dyn Progress) -> laser_search::Result<T>;

/// A search that has come to its end.
pub(crate) struct Conducted<'t, T> {
    pub end: T,
    pub run: RunWriter,
    pub description: RunDescription,
    pub validation: Vec<&'t Example>,
    pub test: Vec<&'t Example>,
}

impl Session {
    /// Runs a search in the RUN folder `out`, or resumes it there.
    ///
    /// ```no_run
    /// use laser::{PoolChoice, SearchPlan, Session, StrategyChoice};
    ///
    /// let session = Session::open("model")?;
    /// let plan = SearchPlan {
    ///     strategy: StrategyChoice::Beam { pool: PoolChoice::Race, width: 6 },
    ///     layers: vec!["3-14".parse()?],
    ///     ..SearchPlan::default()
    /// };
    /// let found = session.search(&session.task(&"qa.jsonl".into())?, &plan, "run")?;
    /// println!("{}", found.text());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let part = Part::Merge(out.as_ref().to_owned(), Box::new(Shards::open(out.as_ref())?));
        self.finish(plan, self.conduct(task, plan, &part, out.as_ref(), laser_search::search)?)
    }

    /// Has `serve` use a scorer of what the search scores, for a driver that is another process.
    ///
    /// # Errors
    /// If the plan or the task does not fit the model, or `serve` fails.
    pub(crate) fn serve(
        &self,
        task: &OpenTask,
        plan: &SearchPlan,
        serve: &mut dyn FnMut(&RunDescription, &mut dyn Scorer) -> Result<()>,
    ) -> Result<()> {
        let prepared = self.prepare(task, plan, &Part::Worker)?;
        prepared.run(self, plan.memory, &mut |scorer| serve(&prepared.description, scorer))
    }

    /// Prepares a search or a part of it, and has `conduct` do it.
    pub(crate) fn conduct<'t, T>(
        &self,
        task: &'t OpenTask,
        plan: &SearchPlan,
        part: &Part,
        out: &Path,
        conduct: Conduct<T>,
    ) -> Result<Conducted<'t, T>> {
        let (config, progress) = (self.config(), &*self.options.progress);
        let prepared = self.prepare(task, plan, part)?;
        let PreparedSearch { space, description, validation, test, .. } = &prepared;
        let exhaustive = match &plan.compare {
            Some(other) => Some(RunFolder::open(other)?.scores(description, space)?),
            None => None,
        };
        let shards: Vec<RunFolder> = match part {
            Part::Merge(_, shards) => shards.folders.iter().map(|(_, folder)| folder.clone()).collect(),
            Part::Whole | Part::Worker | Part::Shard(_) => Vec::new(),
        };
        let reuse = |folder: &RunFolder| Ok(ReusedResults::of(folder, description)?);
        let of_shards = shards.iter().map(reuse).collect::<Result<Vec<_>>>()?;
        let merged = match part {
            Part::Merge(..) => Some(Merged::new(&shards, &of_shards)?),
            Part::Whole | Part::Worker | Part::Shard(_) => None,
        };
        let is_shard = matches!(part, Part::Shard(_));
        let mut strategy = strategy(plan.strategy, space, exhaustive, task.source.seed, is_shard, merged);
        if let Some(more) = plan.more.filter(|_| !is_shard) {
            // Another seed than that of a strategy that evolves itself.
            let seed = task.source.seed.wrapping_add(1);
            strategy = Box::new(Evolve::beyond(space.clone(), strategy, more.get(), seed));
        }
        let other = |path: &PathBuf| reuse(&RunFolder::open(path)?);
        let reused = plan.reuse.iter().map(other).collect::<Result<Vec<_>>>()?;
        self.model.check(description)?;
        let run = match part {
            Part::Shard(shard) => {
                // What merging would refuse is told before anything is scored.
                let all = layers_of(&plan.layers, config.layers)?;
                RunWriter::check(out, &unsharded(plan, description, shard.of, all))?;
                RunWriter::create(&shard.folder(out), description)?
            }
            Part::Whole | Part::Worker | Part::Merge(..) => RunWriter::create(out, description)?,
        };
        if validation.len() < FEW {
            let n = validation.len();
            progress.note(&format!(
                "the best of many candidates on {n} validation examples is often chance: use more examples"
            ));
        }
        let told = Plan {
            space,
            validation,
            test,
            check_bf16: plan.bf16,
            run: description,
            reused: &reused,
            shards: &of_shards,
        };
        let live = LiveReport::new(progress, run.folder().clone());
        let mut end = None;
        let mut search = |scorer: &mut dyn Scorer| {
            end = Some(conduct(&mut *strategy, &told, scorer, &run, &live)?);
            Ok(())
        };
        prepared.run(self, plan.memory, &mut search)?;
        let end = end.ok_or_else(|| laser_search::Error::NoCandidates { why: "nothing was asked for" })?;
        let PreparedSearch { description, validation, test, .. } = prepared;
        Ok(Conducted { end, run, description, validation, test })
    }

    fn finish(&self, plan: &SearchPlan, conducted: Conducted<Finished>) -> Result<FoundEdits> {
        let composed = plan.pool().is_some() || plan.more.is_some();
        finish(&*self.options.progress, plan.costs.limits, composed, conducted)
    }
}

/// Writes the verdict and the report of a finished search.
pub(crate) fn finish(
    progress: &dyn Progress,
    limits: CostLimits,
    composed: bool,
    conducted: Conducted<Finished>,
) -> Result<FoundEdits> {
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
    if let Err(error) = write_page(&folder, &read.data.page()) {
        progress.note(&format!("there is no report: {error}"));
    }
    Ok(FoundEdits { verdict, trace, entries: read.entries, costs, objective, limits, bf16_checks, ranking, composed })
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
        StrategyChoice::Own(own) => (own.begin)(space()),
        StrategyChoice::Gradient { examples } => Box::new(gradient(examples)),
        StrategyChoice::Compose { pool: choice } => Box::new(Compose::new(space(), pool(choice))),
        StrategyChoice::Beam { pool: choice, width } => Box::new(Beam::new(space(), pool(choice), width)),
        StrategyChoice::Evolve { pool: choice, evaluations } => {
            Box::new(Evolve::new(space(), pool(choice), evaluations, seed))
        }
    }
}
