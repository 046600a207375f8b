//! What joins a strategy, a scorer and the journal.

use crate::best_so_far::BestSoFar;
use crate::error::{Error, Result};
use crate::history::History;
use crate::job::Job;
use crate::strategy::Strategy;
use crate::waiting::{Waiting, complete};
use laser_edit::Candidate;
use laser_run::{
    Batch, Bf16Check, Cost, CostLimits, Costs, Entries, Entry, ExampleRange, ExampleResult, Journal, Log, Objective,
    PredictedChange, Progress, ResultKind, ReusedResults, RunWriter, Scorer, SearchTrace, SplitName, TaskMembers,
    race_order,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Does what strategies ask for, as far as the journal has not got it.
pub struct Driver<'a> {
    run: &'a RunWriter,
    journal: Journal,
    costs: Journal<Costs>,
    /// What candidates may cost, where costs are measured.
    limits: Option<CostLimits>,
    /// Which task each validation example is of, where there are several.
    members: TaskMembers,
    /// What candidates are compared by, once the unedited model has been scored.
    objective: Objective,
    /// What other searches have scored.
    reused: &'a [ReusedResults],
    scorer: &'a mut dyn Scorer,
    progress: &'a dyn Progress,
    /// Examples of each split.
    validation: usize,
    test: usize,
    /// The validation examples' numbers in the order in which races take them.
    order: Vec<usize>,
    ranking: Option<Vec<PredictedChange>>,
    best: BestSoFar,
    /// What has been asked for: it is not told again as done before.
    asked: HashSet<(SplitName, String, Option<ExampleRange>)>,
    /// The ranges that have been asked for.
    ranges: BTreeSet<ExampleRange>,
}

impl<'a> Driver<'a> {
    /// A driver of the search in `run` over so many examples of each split, whose results are of kind `results`; `seed` orders
    /// the validation examples for races.
    ///
    /// # Errors
    /// The scorer gives results of another kind, or the journal cannot be read or written.
    pub fn new(
        run: &'a RunWriter,
        [validation, test]: [usize; 2],
        results: ResultKind,
        seed: u64,
        scorer: &'a mut dyn Scorer,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        if scorer.kind() != results {
            return Err(Error::ResultKind { expected: results, found: scorer.kind() });
        }
        Ok(Self {
            journal: run.journal()?,
            costs: run.costs()?,
            limits: None,
            members: TaskMembers::default(),
            objective: Objective::default(),
            reused: &[],
            best: BestSoFar::default(),
            ranking: None,
            run,
            scorer,
            progress,
            validation,
            test,
            order: race_order(validation, seed),
            asked: HashSet::new(),
            ranges: BTreeSet::new(),
        })
    }

    /// The same, which measures costs; candidates are to be within `limits`.
    pub fn within(self, limits: CostLimits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// The same, which takes over what `reused` has in place of asking the scorer.
    pub fn reusing(self, reused: &'a [ReusedResults]) -> Self {
        Self { reused, ..self }
    }

    /// The same of a search over several tasks.
    pub fn over(self, members: TaskMembers) -> Self {
        Self { members, ..self }
    }

    /// What candidates are compared by, once the unedited model has been scored.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// What edits do elsewhere than on the task, as far as that has been measured.
    pub fn costs(&self) -> &Costs {
        self.costs.entries()
    }

    /// What has been scored.
    pub fn entries(&self) -> &Entries {
        self.journal.entries()
    }

    /// What has been scored, what it costs, and what gradients predicted where they ranked candidates.
    pub fn into_results(self) -> (Entries, Costs, Option<Vec<PredictedChange>>) {
        (self.journal.into_entries(), self.costs.into_entries(), self.ranking)
    }

    /// Does what `strategy` asks for until its end.
    ///
    /// # Errors
    /// The strategy or the scorer fails, or the RUN folder cannot be written.
    pub fn run(&mut self, strategy: &mut dyn Strategy) -> Result<()> {
        loop {
            let jobs = strategy.propose(&self.history())?;
            if jobs.is_empty() {
                return Ok(());
            }
            jobs.iter().try_for_each(|job| self.perform(job))?;
        }
    }

    /// All results on the validation split so far.
    pub fn history(&self) -> History<'_> {
        let history = History::new(self.journal.entries(), &self.order, self.ranking.as_deref(), self.costs.entries());
        let history = history.comparing_by(&self.objective);
        match self.limits {
            Some(limits) => history.within(limits),
            None => history,
        }
    }

    /// How `strategy`, which has come to its end, went through `space`.
    pub fn trace(&self, space: &[Candidate], strategy: &dyn Strategy) -> SearchTrace {
        let (course, history) = (strategy.course(), self.history());
        // An example of a backward pass counts three times.
        let backward = course.gradient.as_ref().map_or(0, |gradient| 3 * gradient.examples);
        SearchTrace {
            space: space.len(),
            dropped: space.iter().filter(|candidate| history.entry(candidate).is_none()).count(),
            examples: self.validation,
            evaluations: self.entries().evaluations(SplitName::Validation, self.validation) + backward,
            race: course.race,
            gradient: course.gradient,
            steps: course.steps,
        }
    }

    /// Does one job.
    pub(crate) fn perform(&mut self, job: &Job) -> Result<()> {
        self.progress.pause().map_err(|stopped| Error::Scorer(stopped.into()))?;
        match job {
            Job::Score { label, candidates, examples } => {
                self.score(label, SplitName::Validation, candidates, *examples)?;
                if let Some(range) = examples {
                    self.ranges.insert(*range);
                    self.join(candidates)?;
                }
                Ok(())
            }
            Job::MeasureCosts { candidates } => self.measure(SplitName::Validation, candidates),
            Job::RankByGradient { candidates, examples } => self.rank(candidates, *examples),
        }
    }

    /// Scores those candidates that have not been scored yet on the whole split, or on a range of the validation split.
    ///
    /// # Errors
    /// The scorer fails, or the journal cannot be written.
    pub fn score(
        &mut self,
        label: &str,
        split: SplitName,
        candidates: &[Candidate],
        range: Option<ExampleRange>,
    ) -> Result<()> {
        self.reuse(split, candidates, range)?;
        let entries = self.journal.entries();
        let mut names = HashSet::new();
        let is_missing = |it: &&Candidate| entries.get_on(split, it, range).is_none() && names.insert(it.to_string());
        let missing: Vec<&Candidate> = candidates.iter().filter(is_missing).collect();
        let numbers = range.map(|range| self.in_order(range));
        let whole = if split == SplitName::Test { self.test } else { self.validation };
        let examples = numbers.as_ref().map_or(whole, Vec::len);
        let asked = candidates.iter().filter(|it| self.asked.insert((split, it.to_string(), range))).count();
        let before = asked.saturating_sub(missing.len());
        if missing.is_empty() && before == 0 {
            return Ok(());
        }
        self.progress.start(label, (missing.len() + before) * examples, before * examples);
        if !missing.is_empty() {
            let kind = self.scorer.kind();
            let batch =
                Batch { candidates: &missing, split, examples: numbers.as_deref(), exact: split == SplitName::Test };
            let (journal, mut waiting) = (&mut self.journal, Waiting::new(missing.len(), examples, kind));
            let (best, objective, progress) = (&mut self.best, &self.objective, self.progress);
            let mut append = |number: usize, results: Vec<ExampleResult>| {
                waiting.take(number, &results)?;
                let entry = Entry::new(split, missing[number], range, kind, results);
                best.take(&entry, objective, progress);
                journal.append(entry)?;
                Ok(())
            };
            self.scorer.score(&batch, self.progress, &mut append).map_err(Error::Scorer)?;
            waiting.end()?;
        }
        self.progress.finish();
        Ok(())
    }

    /// Scores the unedited model on validation, by whose results candidates are compared, and tells which of those that were
    /// scored before is the best.
    ///
    /// # Errors
    /// The scorer fails, the journal cannot be written, or what is reused says something else of the unedited model.
    pub fn score_base(&mut self) -> Result<()> {
        // Before anything is taken over.
        let known = [self.entries()].into_iter().chain(self.reused.iter().map(ReusedResults::entries));
        agree(known.filter_map(|entries| entries.get(SplitName::Validation, &Candidate::base())))?;
        self.score("base", SplitName::Validation, &[Candidate::base()], None)?;
        if let Some(base) = self.journal.entries().get(SplitName::Validation, &Candidate::base()) {
            self.objective = self.members.objective(base);
        }
        for entry in self.journal.entries().candidates() {
            self.best.take(entry, &self.objective, self.progress);
        }
        Ok(())
    }

    /// Takes over all that the shards of this search have scored and measured, in their order.
    ///
    /// # Errors
    /// A file cannot be written, or two shards say different things of a candidate.
    pub fn take_over(&mut self, shards: &[ReusedResults]) -> Result<()> {
        let known = [self.entries()].into_iter().chain(shards.iter().map(ReusedResults::entries));
        agree(known.flat_map(Entries::all).filter(|entry| entry.split == SplitName::Validation))?;
        for shard in shards {
            for entry in shard.entries().all().iter().filter(|entry| entry.split == SplitName::Validation) {
                if self.entries().get_on(entry.split, &entry.interventions, entry.part).is_none() {
                    self.journal.append(entry.clone())?;
                }
            }
            for cost in shard.costs().all() {
                if self.costs().get(cost.split, &cost.interventions).is_none() {
                    self.costs.append(cost.clone())?;
                }
            }
        }
        Ok(())
    }

    /// Notes what other searches have scored of what this one lacks.
    fn reuse(&mut self, split: SplitName, candidates: &[Candidate], range: Option<ExampleRange>) -> Result<()> {
        for candidate in candidates {
            let mut others = self.reused.iter();
            if self.entries().get_on(split, candidate, range).is_none()
                && let Some(entry) = others.find_map(|it| it.entry(split, candidate, range, &self.order))
            {
                self.best.take(&entry, &self.objective, self.progress);
                self.journal.append(entry)?;
            }
        }
        Ok(())
    }

    /// Measures what candidates cost on one half, and what the unedited model gives there, as far as that is not known.
    ///
    /// # Errors
    /// The scorer fails, or the file cannot be written.
    pub fn measure(&mut self, split: SplitName, candidates: &[Candidate]) -> Result<()> {
        let base = Candidate::base();
        for candidate in [&base].into_iter().chain(candidates) {
            if self.costs().get(split, candidate).is_none()
                && let Some(cost) = self.reused.iter().find_map(|it| it.cost(split, candidate))
            {
                self.costs.append(cost.clone())?;
            }
        }
        let known = self.costs.entries();
        let mut names = HashSet::new();
        let is_missing = |it: &&Candidate| known.get(split, it).is_none() && names.insert(it.to_string());
        let missing: Vec<&Candidate> = [&base].into_iter().chain(candidates).filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.progress.start("costs", missing.len(), 0);
        let mut waiting: HashSet<String> = missing.iter().map(|it| it.to_string()).collect();
        let costs = &mut self.costs;
        let mut append = |cost: Cost| {
            if cost.split != split || !waiting.remove(&cost.interventions.to_string()) || Costs::flaw(&cost).is_some() {
                return Err(Error::UnaskedCost { candidate: cost.interventions.to_string() }.into());
            }
            Ok(costs.append(cost)?)
        };
        self.scorer.cost(split, &missing, self.progress, &mut append).map_err(Error::Scorer)?;
        self.progress.finish();
        complete(0, waiting.len())
    }

    /// Scores candidates once more on validation, by the model itself, unless the RUN folder has it.
    ///
    /// # Errors
    /// The scorer fails, or the RUN folder cannot be written.
    pub fn check_bf16(&mut self, candidates: &[Candidate]) -> Result<Vec<Bf16Check>> {
        if let Some(known) = self.run.folder().bf16_checks()?
            && known.iter().map(|it| &it.interventions).eq(candidates)
            && self.run.folder().check_bf16_checks(&known, self.entries()).is_ok()
        {
            return Ok(known);
        }
        let (kind, examples) = (self.scorer.kind(), self.validation);
        let all: Vec<&Candidate> = candidates.iter().collect();
        let batch = Batch { candidates: &all, split: SplitName::Validation, examples: None, exact: true };
        let mut exact: Vec<Vec<ExampleResult>> = vec![Vec::new(); candidates.len()];
        let mut waiting = Waiting::new(candidates.len(), examples, kind);
        let mut take = |number: usize, results: Vec<ExampleResult>| {
            waiting.take(number, &results)?;
            exact[number] = results;
            Ok(())
        };
        self.progress.start("in f32", candidates.len() * examples, 0);
        self.scorer.score(&batch, self.progress, &mut take).map_err(Error::Scorer)?;
        waiting.end()?;
        self.progress.finish();
        let mut checks = Vec::with_capacity(candidates.len());
        for (candidate, exact) in candidates.iter().zip(exact) {
            let entry = self.history().scored(candidate)?;
            let exact = Entry::new(SplitName::Validation, candidate, None, kind, exact);
            checks.push(Bf16Check {
                interventions: candidate.clone(),
                in_bf16: entry.score,
                exact: exact.score,
                different: entry.values().iter().zip(exact.values()).filter(|(a, b)| **a != *b).count(),
            });
        }
        self.run.write_bf16_checks(&checks)?;
        Ok(checks)
    }

    /// Ranks candidates, unless that was done.
    fn rank(&mut self, candidates: &[Candidate], examples: usize) -> Result<()> {
        self.ranking = self.run.folder().ranking_of(candidates)?;
        if self.ranking.is_some() {
            return Ok(());
        }
        let numbers = &self.order[..examples.min(self.order.len())];
        let changes = self.scorer.rank_by_gradient(candidates, numbers, self.progress).map_err(Error::Scorer)?;
        complete(candidates.len(), changes.len())?;
        let predicted = |(it, change): (&Candidate, f64)| PredictedChange { interventions: it.clone(), change };
        let mut ranking: Vec<PredictedChange> = candidates.iter().zip(changes).map(predicted).collect();
        ranking.sort_by(|a, b| a.change.total_cmp(&b.change));
        self.run.write_ranking(&ranking)?;
        self.ranking = Some(ranking);
        Ok(())
    }

    /// Notes as scored on the whole split those candidates that have been on ranges which make it up.
    fn join(&mut self, candidates: &[Candidate]) -> Result<()> {
        let end = self.ranges.iter().fold(0, |end, range| if range.start <= end { end.max(range.end) } else { end });
        if end < self.validation {
            return Ok(());
        }
        for candidate in candidates {
            let Some(results) = self.joined(candidate) else { continue };
            self.asked.insert((SplitName::Validation, candidate.to_string(), None));
            if self.history().entry(candidate).is_none() {
                let entry = Entry::new(SplitName::Validation, candidate, None, self.scorer.kind(), results);
                self.best.take(&entry, &self.objective, self.progress);
                self.journal.append(entry)?;
            }
        }
        Ok(())
    }

    /// The results of a candidate in the split's order, if it has been asked for on ranges that make up the split. What a search that was
    /// killed had scored further does not count before it is asked for: the journal's order would tell of the kill.
    fn joined(&self, candidate: &Candidate) -> Option<Vec<ExampleResult>> {
        let mut results: Vec<Option<ExampleResult>> = vec![None; self.validation];
        let name = candidate.to_string();
        let is_asked = |range: &ExampleRange| self.asked.contains(&(SplitName::Validation, name.clone(), Some(*range)));
        for range in self.ranges.iter().copied().filter(is_asked) {
            let Some(entry) = self.history().on(candidate, range) else { continue };
            for ((i, value), &log_loss) in self.in_order(range).into_iter().zip(entry.values()).zip(&entry.log_loss) {
                results[i] = Some(ExampleResult::real(value, log_loss));
            }
        }
        results.into_iter().collect()
    }

    /// The numbers of the examples of a range.
    fn in_order(&self, range: ExampleRange) -> Vec<usize> {
        self.order.iter().copied().take(range.end).skip(range.start).collect()
    }
}

/// Refuses results that contradict each other: of one candidate on the same examples.
fn agree<'e>(entries: impl Iterator<Item = &'e Entry>) -> Result<()> {
    let mut first: HashMap<(String, Option<ExampleRange>), &Entry> = HashMap::new();
    for entry in entries {
        let candidate = entry.interventions.to_string();
        if first.entry((candidate.clone(), entry.part)).or_insert(entry).contradicts(entry) {
            return Err(Error::Contradiction { candidate });
        }
    }
    Ok(())
}
