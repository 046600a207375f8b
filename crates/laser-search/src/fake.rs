//! A scorer without a model, and a search in a scratch folder with it.

use crate::driver::Driver;
use crate::history::History;
use crate::job::Job;
use crate::strategy::Strategy;
use laser_edit::Candidate;
use laser_example::SplitMix64;
use laser_run::{
    Batch, Cost, CostLimits, CostReport, Costs, Entries, ExampleRange, ExampleResult, PassageCost, PredictedChange,
    Progress, Report, ResultKind, RunDescription, RunWriter, Scorer, ScorerError, Silent, SplitName, race_order,
};
use std::ops::Range;

/// Seed of the races' order.
const SEED: u64 = 5;

/// `rhos` reductions of one matrix in each of `layers` layers.
pub fn space(layers: usize, rhos: usize) -> Vec<Candidate> {
    let one = |layer: usize, rho: usize| {
        let rho = (rho + 1) as f64 / 100.0;
        serde_json::from_value(serde_json::json!([{"layer": layer, "matrix": "fc_in", "rho": rho}])).unwrap()
    };
    (0..layers).flat_map(|layer| (0..rhos).map(move |rho| one(layer, rho))).collect()
}

/// What a rule says of every candidate that holds all of its interventions.
enum Rule {
    /// Right on these examples.
    Right(Range<usize>),
    /// Wrong on these examples.
    Wrong(Range<usize>),
    /// As the base, whatever else is said.
    Base,
    /// Right on this share of the examples; of results that are numbers, so much more.
    Share(f64),
}

/// The unedited model is right on every tenth example, and an edit does nothing unless a rule says so.
pub struct FakeScorer {
    kind: ResultKind,
    examples: usize,
    rules: Vec<(Candidate, Rule)>,
    predicted: Box<dyn Fn(usize) -> f64>,
    /// What each candidate that holds another costs, nats per token, beside what else it holds.
    prices: Vec<(Candidate, f64)>,
    /// How often a cost has been measured.
    measured: usize,
    /// How many examples have been scored.
    scored: usize,
    rankings: usize,
}

impl FakeScorer {
    fn result(&self, candidate: &Candidate, example: usize) -> ExampleResult {
        let holds = |part: &Candidate| part.interventions().iter().all(|it| candidate.interventions().contains(it));
        let rules: Vec<&Rule> = self.rules.iter().filter(|(part, _)| holds(part)).map(|(_, rule)| rule).collect();
        let base = example % 10 == 9;
        let name: u64 = candidate.to_string().bytes().fold(7, |hash, byte| hash * 31 % 1_000_003 + u64::from(byte));
        let chance = SplitMix64::new(name * 1_000 + example as u64).below(1_000) as f64 / 1_000.0;
        let changes = !rules.iter().any(|rule| matches!(rule, Rule::Base));
        let mut right = base;
        let mut value = (example % 3) as f64 + chance;
        for rule in rules.into_iter().filter(|_| changes) {
            match rule {
                Rule::Right(range) => right |= range.contains(&example),
                Rule::Wrong(range) => right &= !range.contains(&example),
                Rule::Share(share) => {
                    right = chance < *share;
                    value += share;
                }
                Rule::Base => {}
            }
        }
        match self.kind {
            ResultKind::Binary => ExampleResult::binary(right, if right { 0.5 } else { 1.5 }),
            _ => ExampleResult::real(value, 0.0),
        }
    }
}

impl Scorer for FakeScorer {
    fn kind(&self) -> ResultKind {
        self.kind
    }

    fn score(&mut self, batch: &Batch, progress: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        assert_eq!((batch.split, batch.exact), (SplitName::Validation, false), "a strategy sees validation alone");
        let all: Vec<usize> = (0..self.examples).collect();
        let examples = batch.examples.unwrap_or(&all);
        // The last first: the order is the scorer's own.
        for (number, candidate) in batch.candidates.iter().enumerate().rev() {
            progress.advance(examples.len());
            self.scored += examples.len();
            report(number, examples.iter().map(|&example| self.result(candidate, example)).collect())?;
        }
        Ok(())
    }

    fn rank_by_gradient(
        &mut self,
        candidates: &[Candidate],
        _: &[usize],
        _: &dyn Progress,
    ) -> Result<Vec<f64>, ScorerError> {
        self.rankings += 1;
        Ok((0..candidates.len()).map(|number| (self.predicted)(number)).collect())
    }

    fn cost(
        &mut self,
        split: SplitName,
        candidates: &[&Candidate],
        progress: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        for &candidate in candidates.iter().rev() {
            progress.advance(1);
            self.measured += 1;
            let holds = |part: &Candidate| part.interventions().iter().all(|it| candidate.interventions().contains(it));
            let kl = self.prices.iter().filter(|(part, _)| holds(part)).map(|(_, price)| price).sum();
            report(Cost {
                split,
                interventions: candidate.clone(),
                text: vec![PassageCost { tokens: 1, nats: 2.0 + kl, kl }],
                first_token_kl: kl,
                saved_weights: 0,
                guards: Vec::new(),
            })?;
        }
        Ok(())
    }
}

/// A search by the fake scorer.
pub struct Fake {
    folder: tempfile::TempDir,
    run: RunWriter,
    scorer: FakeScorer,
    order: Vec<usize>,
    entries: Entries,
    costs: Costs,
    limits: Option<CostLimits>,
    ranking: Option<Vec<PredictedChange>>,
    /// What the last strategy asked for: the label, how many candidates, and the range.
    pub asked: Vec<(String, usize, Option<ExampleRange>)>,
}

impl Fake {
    /// Over `examples` validation examples.
    pub fn new(examples: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunWriter::create(folder.path(), &description()).unwrap();
        let order = race_order(examples, SEED);
        let predicted: Box<dyn Fn(usize) -> f64> = Box::new(|number| number as f64);
        let (kind, rules) = (ResultKind::Binary, Vec::new());
        let prices = Vec::new();
        let scorer = FakeScorer { kind, examples, rules, predicted, prices, measured: 0, scored: 0, rankings: 0 };
        let (entries, costs, limits) = (Entries::default(), Costs::default(), None);
        Self { folder, run, scorer, order, entries, costs, limits, ranking: None, asked: Vec::new() }
    }

    /// Results are numbers.
    pub fn with_values(mut self) -> Self {
        self.scorer.kind = ResultKind::Real;
        self
    }

    /// Candidates are to be within limits.
    pub fn within(mut self, limits: CostLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// What holds `candidate` costs so much more, nats per token.
    pub fn costs(&mut self, candidate: &Candidate, price: f64) {
        self.scorer.prices.push((candidate.clone(), price));
    }

    /// How often a cost has been measured.
    pub fn measured(&self) -> usize {
        self.scorer.measured
    }

    /// `candidate`, and what holds it, is right on these examples.
    pub fn helps(&mut self, candidate: &Candidate, examples: Range<usize>) {
        self.scorer.rules.push((candidate.clone(), Rule::Right(examples)));
    }

    /// `candidate`, and what holds it, is wrong on these examples.
    pub fn hurts(&mut self, candidate: &Candidate, examples: Range<usize>) {
        self.scorer.rules.push((candidate.clone(), Rule::Wrong(examples)));
    }

    /// What holds both is as the base.
    pub fn excludes(&mut self, a: &Candidate, b: &Candidate) {
        let both = Candidate::new(a.interventions().iter().chain(b.interventions()).cloned()).unwrap();
        self.scorer.rules.push((both, Rule::Base));
    }

    /// `candidate` is right on a share of the examples; its results are so much higher, where they are numbers.
    pub fn right(&mut self, candidate: &Candidate, share: f64) {
        self.scorer.rules.push((candidate.clone(), Rule::Share(share)));
    }

    /// What gradients predict of a candidate, by its number in the space.
    pub fn predict(&mut self, predicted: impl Fn(usize) -> f64 + 'static) {
        self.scorer.predicted = Box::new(predicted);
    }

    /// Runs a strategy to its end, behind what the journal has.
    pub fn run(&mut self, strategy: &mut dyn Strategy) {
        self.asked.clear();
        let sizes = [self.order.len(), 0];
        let mut driver = Driver::new(&self.run, sizes, self.scorer.kind(), SEED, &mut self.scorer, &Silent).unwrap();
        if let Some(limits) = self.limits {
            driver = driver.within(limits);
        }
        driver.score("base", SplitName::Validation, &[Candidate::base()], None).unwrap();
        loop {
            let jobs = strategy.propose(&driver.history()).unwrap();
            if jobs.is_empty() {
                break;
            }
            for job in jobs {
                self.asked.push(match &job {
                    Job::Score { label, candidates, examples } => (label.clone(), candidates.len(), *examples),
                    Job::MeasureCosts { candidates } => ("costs".to_owned(), candidates.len(), None),
                    Job::RankByGradient { candidates, .. } => ("gradient".to_owned(), candidates.len(), None),
                });
                driver.perform(&job).unwrap();
            }
        }
        (self.entries, self.costs, _) = driver.into_results();
        self.ranking = self.run.folder().ranking().unwrap();
    }

    /// What the journal holds.
    pub fn journal(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("journal.jsonl")).unwrap()
    }

    /// Keeps the first `lines` lines of the journal.
    pub fn cut_journal(&mut self, lines: usize) {
        self.cut("journal.jsonl", lines);
    }

    /// Keeps the first `lines` lines of the costs.
    pub fn cut_costs(&mut self, lines: usize) {
        self.cut("costs.jsonl", lines);
    }

    fn cut(&mut self, name: &str, lines: usize) {
        let path = self.folder.path().join(name);
        let whole = std::fs::read_to_string(&path).unwrap();
        let kept: String = whole.lines().take(lines).map(|line| format!("{line}\n")).collect();
        std::fs::write(path, kept).unwrap();
    }

    /// What strategies see.
    pub fn history(&self) -> History<'_> {
        let history = History::new(&self.entries, &self.order, self.ranking.as_deref(), &self.costs);
        self.limits.map_or(history, |limits| history.within(limits))
    }

    /// Everything that has been scored.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// How many examples have been scored, over all candidates.
    pub fn scored(&self) -> usize {
        self.scorer.scored
    }

    /// How often candidates have been ranked.
    pub fn rankings(&self) -> usize {
        self.scorer.rankings
    }
}

fn description() -> RunDescription {
    let search = serde_json::json!({
        "strategy": "fake", "matrices": [], "layers": [], "rho": [], "limit": null, "seed": SEED, "split_first": false,
        "device": "none",
    });
    serde_json::from_value(serde_json::json!({
        "version": "1",
        "model": {"path": "", "files": []},
        "task": {"spec": "", "digest": "", "examples": 0},
        "search": search,
    }))
    .unwrap()
}
