//! Several reductions at once, by evolution towards more right answers at a lower cost (NSGA-II: Deb et al. 2002).

use crate::error::Result;
use crate::history::{History, by_score};
use crate::job::Job;
use crate::pool::{Pool, joined, step};
use crate::race::Race;
use crate::strategy::{Course, Strategy};
use laser_edit::{Candidate, Intervention, MatrixId};
use laser_example::SplitMix64;
use laser_run::{Cost, Step};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// How many candidates go on from one generation to the next.
const POPULATION: usize = 24;
/// So many single reductions it starts from.
const STARTERS: usize = 32;
/// How many are made in a generation; they race.
const CHILDREN: usize = 64;
/// Of them so many are scored on all examples.
const FINALISTS: usize = 12;
/// More edits than this are not put together.
const LARGEST: usize = 16;
/// So many tries to make a candidate that is new.
const TRIES: usize = 50;

/// Evolves sets of edits until a number of evaluations is used up.
///
/// A generation adds, exchanges and removes edits, and mixes two sets. Its candidates race; of the finalists and those that were
/// there before the next generation is made of those that no other beats in accuracy and cost, then of those that only such
/// ones beat, and so on; of equals those that stand alone. Where costs are not measured, accuracy and log-loss alone count.
pub struct Evolve {
    pool: Pool,
    /// The single edits of each matrix.
    of_matrix: HashMap<(usize, MatrixId), Vec<Intervention>>,
    random: SplitMix64,
    left: Budget,
    population: Vec<Candidate>,
    known: HashSet<String>,
    generation: usize,
    stage: Stage,
    steps: Vec<Step>,
}

/// What may still be spent.
enum Budget {
    /// Examples that candidates are scored on, summed over the candidates.
    Evaluations(usize),
    /// Candidates that are made, in whole generations.
    Candidates(usize),
}

/// What has been asked for.
enum Stage {
    /// Single reductions are scored.
    Start,
    /// The children race.
    Racing(Race, Vec<Candidate>),
    /// The costs of what is there are measured.
    Measuring(Vec<Candidate>),
    Finished,
}

impl Evolve {
    /// Evolves sets of the edits of `space`, of which `start`, a strategy over the same space, scores some. Generations follow until
    /// their candidates have been scored on `evaluations` examples, summed over the candidates.
    pub fn new(space: Vec<Candidate>, start: Box<dyn Strategy>, evaluations: usize, seed: u64) -> Self {
        Self::with(Budget::Evaluations(evaluations), space, start, seed)
    }

    /// Goes on where `start`, any strategy over `space`, has come to its end, until at least `candidates` more have been made.
    /// With a larger number it makes the same ones first.
    pub fn beyond(space: Vec<Candidate>, start: Box<dyn Strategy>, candidates: usize, seed: u64) -> Self {
        Self::with(Budget::Candidates(candidates), space, start, seed)
    }

    fn with(left: Budget, space: Vec<Candidate>, start: Box<dyn Strategy>, seed: u64) -> Self {
        let mut of_matrix: HashMap<(usize, MatrixId), Vec<Intervention>> = HashMap::new();
        for edit in space.iter().flat_map(Candidate::interventions) {
            of_matrix.entry((edit.layer, edit.matrix)).or_default().push(edit.clone());
        }
        Self {
            pool: Pool::new(space, start),
            of_matrix,
            random: SplitMix64::new(seed),
            left,
            population: Vec::new(),
            known: HashSet::new(),
            generation: 0,
            stage: Stage::Start,
            steps: Vec::new(),
        }
    }

    /// The unedited model, the best single reductions, and what the start put together.
    fn first_generation(&self, history: &History) -> Vec<Candidate> {
        let mut there = vec![Candidate::base()];
        let mut members: Vec<_> = self.pool.members().iter().filter_map(|it| history.entry(it)).collect();
        members.sort_by(|a, b| by_score(&a.score, &b.score));
        let members = members.into_iter().take(STARTERS).map(|entry| entry.interventions.clone());
        for candidate in members.chain(self.pool.course().steps.into_iter().map(|step| step.interventions)) {
            if !there.contains(&candidate) {
                there.push(candidate);
            }
        }
        there
    }

    /// The next generation's candidates; none where nothing new is found.
    fn children(&mut self, history: &History) -> Vec<Candidate> {
        let ranked = ranked(history, &self.population);
        let mut children = Vec::with_capacity(CHILDREN);
        for _ in 0..CHILDREN {
            let child = (0..TRIES).find_map(|_| {
                let child = self.child(&ranked)?;
                let size = child.interventions().len();
                let is_new = (1..=LARGEST).contains(&size) && self.known.insert(child.to_string());
                is_new.then_some(child)
            });
            children.extend(child);
        }
        children
    }

    /// A candidate made of one or two of `ranked`.
    fn child(&mut self, ranked: &[Candidate]) -> Option<Candidate> {
        let parent = self.parent(ranked)?;
        match self.random.below(100) {
            0..55 => self.with_one_more(&parent),
            55..75 => self.with_one_exchanged(&parent),
            75..85 => {
                let kept = parent.interventions().len().checked_sub(1).filter(|&kept| kept > 0)?;
                let removed = self.below(kept + 1);
                let edits = parent.interventions().iter().enumerate().filter(|(i, _)| *i != removed);
                Candidate::new(edits.map(|(_, edit)| edit.clone())).ok()
            }
            _ => {
                let other = self.parent(ranked)?;
                let mut child = Candidate::base();
                for edit in parent.interventions().iter().chain(other.interventions()) {
                    if self.random.below(3) > 0 {
                        child = joined(&child, &Candidate::new([edit.clone()]).ok()?).unwrap_or(child);
                    }
                }
                Some(child)
            }
        }
    }

    /// The better of two at random.
    fn parent(&mut self, ranked: &[Candidate]) -> Option<Candidate> {
        let (a, b) = (self.below(ranked.len().max(1)), self.below(ranked.len().max(1)));
        ranked.get(a.min(b)).cloned()
    }

    fn with_one_more(&mut self, parent: &Candidate) -> Option<Candidate> {
        let from_pool = !self.pool.members().is_empty() && self.random.below(3) > 0;
        let from = if from_pool { self.pool.members() } else { self.pool.space() };
        let addition = from.get(self.random.below(from.len().max(1) as u64) as usize)?.clone();
        // What is there of the same matrices makes room.
        let overlaps = |edit: &&Intervention| {
            addition.interventions().iter().any(|it| it.layer == edit.layer && it.matrix.overlaps(edit.matrix))
        };
        let rest = parent.interventions().iter().filter(|edit| !overlaps(edit)).cloned();
        joined(&Candidate::new(rest).ok()?, &addition)
    }

    /// Another edit of one of the matrices, one that stands beside it in the space more often than not.
    fn with_one_exchanged(&mut self, parent: &Candidate) -> Option<Candidate> {
        let edits = parent.interventions();
        let number = self.below(edits.len().max(1));
        let edit = edits.get(number)?;
        let others = self.of_matrix.get(&(edit.layer, edit.matrix))?.clone();
        let place = others.iter().position(|other| other == edit).unwrap_or(0);
        let next = match self.random.below(3) {
            0 => place.checked_sub(1)?,
            1 => place + 1,
            _ => self.below(others.len()),
        };
        let exchanged = others.get(next)?.clone();
        let mut edits = edits.to_vec();
        edits[number] = exchanged;
        Candidate::new(edits).ok()
    }

    fn below(&mut self, n: usize) -> usize {
        self.random.below(n as u64) as usize
    }

    /// Takes over the best of what is there, and goes on with the next generation while evaluations are left.
    fn select(&mut self, history: &History, there: &[Candidate]) -> Result<Stage> {
        let mut ranked = ranked(history, there);
        ranked.truncate(POPULATION);
        self.population = ranked;
        let within = self.population.iter().filter(|it| history.is_within_limits(it) != Some(false));
        let scored =
            within.filter_map(|it| history.entry(it)).filter(|it| !it.interventions.interventions().is_empty());
        if let Some(best) = scored.min_by(|a, b| by_score(&a.score, &b.score)) {
            let best = step(history, &best.interventions)?;
            if self.course().steps.last().is_none_or(|last| last.interventions != best.interventions) {
                self.steps.push(best);
            }
        }
        let is_used_up = match self.left {
            Budget::Evaluations(left) => self.generation > 0 && left < FINALISTS * history.examples(),
            Budget::Candidates(left) => left == 0,
        };
        if is_used_up {
            return Ok(Stage::Finished);
        }
        let children = self.children(history);
        if children.is_empty() {
            return Ok(Stage::Finished);
        }
        self.generation += 1;
        let label = format!("generation {}, race", self.generation);
        Ok(Stage::Racing(Race::new(children.clone()).with_finalists(FINALISTS).called(label), children))
    }
}

impl Strategy for Evolve {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        loop {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Finished) {
                Stage::Start => {
                    let jobs = self.pool.propose(history)?;
                    if !jobs.is_empty() {
                        // What the start has asked for is not made again: it would find its results when it is run again.
                        for job in &jobs {
                            if let Job::Score { candidates, .. } = job {
                                self.known.extend(candidates.iter().map(Candidate::to_string));
                            }
                        }
                        self.stage = Stage::Start;
                        return Ok(jobs);
                    }
                    self.known.extend(self.pool.space().iter().map(Candidate::to_string));
                    Stage::Measuring(self.first_generation(history))
                }
                Stage::Racing(mut race, children) => {
                    let jobs = race.propose(history)?;
                    if !jobs.is_empty() {
                        self.stage = Stage::Racing(race, children);
                        return Ok(jobs);
                    }
                    match &mut self.left {
                        Budget::Evaluations(left) => *left = left.saturating_sub(race.evaluations()),
                        Budget::Candidates(left) => *left = left.saturating_sub(children.len()),
                    }
                    let scored = children.into_iter().filter(|child| history.entry(child).is_some());
                    Stage::Measuring(self.population.iter().cloned().chain(scored).collect())
                }
                Stage::Measuring(there) => {
                    let is_missing = |it: &&Candidate| history.measures_costs() && history.cost(it).is_none();
                    let missing: Vec<Candidate> = there.iter().filter(is_missing).cloned().collect();
                    if !missing.is_empty() {
                        self.stage = Stage::Measuring(there);
                        return Ok(vec![Job::MeasureCosts { candidates: missing }]);
                    }
                    self.select(history, &there)?
                }
                Stage::Finished => return Ok(Vec::new()),
            };
        }
    }

    fn course(&self) -> Course {
        let mut course = self.pool.course();
        course.steps.extend_from_slice(&self.steps);
        course
    }
}

/// What a candidate is worth.
struct Worth {
    candidate: Candidate,
    accuracy: f64,
    log_loss: f64,
    /// The divergence from the unedited model; the log-loss where costs are not measured.
    cost: f64,
    /// What share of the limits it takes, where that is more than all.
    excess: f64,
}

impl Worth {
    fn of(history: &History, candidate: &Candidate) -> Option<Self> {
        let score = history.entry(candidate)?.score;
        let (cost, base) = (history.cost(candidate), history.cost(&Candidate::base()));
        let share = base.zip(cost).map_or(0.0, |(base, cost)| history.limits().share(base, cost));
        Some(Self {
            candidate: candidate.clone(),
            accuracy: score.accuracy,
            log_loss: score.log_loss,
            cost: cost.filter(|cost| !cost.text.is_empty()).map_or(score.log_loss, Cost::kl),
            excess: if share > 1.0 { share } else { 0.0 },
        })
    }

    /// Whether no reason is left to prefer `other`: what is within the limits beats what is not.
    fn beats(&self, other: &Self) -> bool {
        match self.excess.total_cmp(&other.excess) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => {
                let as_good = self.accuracy >= other.accuracy && self.cost <= other.cost;
                as_good && (self.accuracy > other.accuracy || self.cost < other.cost)
            }
        }
    }
}

/// Candidates that have been scored, the better first: by how many fronts beat theirs, then by how alone they stand.
fn ranked(history: &History, candidates: &[Candidate]) -> Vec<Candidate> {
    let mut rest: Vec<Worth> = candidates.iter().filter_map(|it| Worth::of(history, it)).collect();
    let mut ranked = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let unbeaten: Vec<bool> = rest.iter().map(|it| !rest.iter().any(|other| other.beats(it))).collect();
        let mut unbeaten = unbeaten.into_iter();
        let (mut front, others): (Vec<Worth>, Vec<Worth>) =
            rest.into_iter().partition(|_| unbeaten.next() == Some(true));
        rest = others;
        front.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy).then(a.log_loss.total_cmp(&b.log_loss)));
        let spread = spread(&front);
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|&a, &b| spread[b].total_cmp(&spread[a]));
        ranked.extend(order.into_iter().map(|i| front[i].candidate.clone()));
    }
    ranked
}

/// How far the neighbours of each candidate of a front, ordered by accuracy, are apart; the ends stand alone.
fn spread(front: &[Worth]) -> Vec<f64> {
    let range = |of: fn(&Worth) -> f64| {
        let values = || front.iter().map(of);
        (values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)).max(f64::MIN_POSITIVE)
    };
    let (accuracy, cost) = (range(|it| it.accuracy), range(|it| it.cost));
    let between = |i: usize| match (i.checked_sub(1).and_then(|i| front.get(i)), front.get(i + 1)) {
        (Some(a), Some(b)) => (a.accuracy - b.accuracy).abs() / accuracy + (a.cost - b.cost).abs() / cost,
        _ => f64::INFINITY,
    };
    (0..front.len()).map(between).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beam::Beam;
    use crate::fake::{Fake, space};
    use laser_run::CostLimits;

    fn evolve(fake: &mut Fake, space: &[Candidate], evaluations: usize) -> Vec<Step> {
        let race = Box::new(Race::new(space.to_vec()));
        let mut evolve = Evolve::new(space.to_vec(), race, evaluations, 3);
        fake.run(&mut evolve);
        evolve.course().steps
    }

    fn helpful(limits: Option<CostLimits>) -> (Vec<Candidate>, Fake) {
        let (space, fake) = (space(8, 2), Fake::new(200));
        let mut fake = match limits {
            Some(limits) => fake.within(limits),
            None => fake,
        };
        for (i, candidate) in space.iter().step_by(2).enumerate() {
            fake.helps(candidate, 20 * i..20 * i + 20);
            fake.costs(candidate, 0.01 * (i + 1) as f64);
        }
        (space, fake)
    }

    #[test]
    fn generations_put_together_what_helps() {
        let (space, mut fake) = helpful(None);
        let steps = evolve(&mut fake, &space, 30_000);
        let last = steps.last().unwrap();
        // All eight help on examples of their own; each adds nine of a hundred, as the base is right on every tenth.
        assert!(last.accuracy > 0.6, "{last:?}");
        assert!(last.interventions.interventions().len() >= 6);
    }

    #[test]
    fn candidates_within_the_limits_win() {
        let limits = CostLimits { kl: Some(0.1), ..CostLimits::default() };
        let (space, mut fake) = helpful(Some(limits));
        let steps = evolve(&mut fake, &space, 40_000);
        let last = &steps.last().unwrap().interventions;
        assert_eq!(fake.history().is_within_limits(last), Some(true));
        // 0.01 + 0.02 + 0.03 + 0.04; edits that do nothing may stand beside them.
        let helpful = space.iter().step_by(2).filter(|it| last.interventions().contains(&it.interventions()[0]));
        assert_eq!(helpful.count(), 4, "{last}");
    }

    #[test]
    fn it_goes_on_beyond_another_strategy() {
        let (space, mut fake) = helpful(None);
        let beyond = |fake: &mut Fake, candidates: usize| {
            let beam = Beam::new(space.clone(), Box::new(Race::new(space.clone())), 1);
            let mut beyond = Evolve::beyond(space.clone(), Box::new(beam), candidates, 3);
            fake.run(&mut beyond);
            (beyond.course().steps, beyond.generation)
        };
        let mut beam = Beam::new(space.clone(), Box::new(Race::new(space.clone())), 1);
        let mut alone = helpful(None).1;
        alone.run(&mut beam);
        let (none, _) = beyond(&mut fake, 0);
        assert_eq!(none[..beam.course().steps.len()], beam.course().steps);
        let (some, generations) = beyond(&mut fake, 100);
        assert_eq!(some[..beam.course().steps.len()], beam.course().steps, "the start comes to its own end again");
        assert_eq!(generations, 2);
        assert!(some.len() >= none.len());
        let scored = fake.scored();
        assert_eq!(beyond(&mut fake, 100).0, some);
        assert_eq!(fake.scored(), scored, "nothing is scored twice");
        // A larger number goes on, and comes to the end that it would have come to at once.
        let further = beyond(&mut fake, 200);
        assert_eq!(further, beyond(&mut helpful(None).1, 200));
        let names: Vec<String> = further.0.iter().map(|step| step.interventions.to_string()).collect();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
    }

    #[test]
    fn it_resumes_to_the_same_end() {
        let (space, mut fake) = helpful(None);
        let whole = evolve(&mut fake, &space, 9_000);
        let scored = fake.scored();
        assert_eq!(evolve(&mut fake, &space, 9_000), whole);
        assert_eq!(fake.scored(), scored, "nothing is scored twice");
        for lines in [1, 50, 200] {
            fake.cut_journal(lines);
            assert_eq!(evolve(&mut fake, &space, 9_000), whole);
        }
    }
}
