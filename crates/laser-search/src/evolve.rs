//! Several reductions at once, by generations of compositions that a model of their parts' gains proposes.

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::observations::Observations;
use crate::offspring::Offspring;
use crate::pool::{Pool, step};
use crate::strategy::{Budget, Course, Strategy};
use laser_edit::Candidate;
use laser_example::SplitMix64;
use laser_run::{ExampleRange, Step};
use std::collections::HashSet;

/// How many compositions are made in a generation.
const CHILDREN: usize = 24;
/// They are scored on a tenth of the examples, half of them on a third, and a quarter on all.
const ROUNDS: [(usize, usize); 3] = [(10, 1), (3, 2), (1, 4)];

/// Evolves sets of edits until a number of evaluations is used up.
///
/// What each edit adds is told from all results so far by linear regression. Each composition of a generation is the one that promises
/// most, among random changes of the best so far, by weights that are drawn from what the regression leaves likely (Thompson sampling),
/// and that should keep within the limits. So what is well known to help is used, and what is little known is tried.
pub struct Evolve {
    pool: Pool,
    offspring: Option<Offspring>,
    random: SplitMix64,
    left: Budget,
    known: HashSet<String>,
    /// What was asked for last, and what all that was asked for before has given.
    asked: Vec<Job>,
    observations: Observations,
    /// Compositions that were scored on all examples and whose costs are known, and single edits like them.
    scored: Vec<Candidate>,
    generation: usize,
    stage: Stage,
    steps: Vec<Step>,
}

/// What has been asked for.
enum Stage {
    /// Single reductions are scored.
    Start,
    /// The costs of single reductions are measured.
    Single(Offspring),
    /// The round with this number is scored.
    Round(usize, Vec<Candidate>),
    /// The costs of those that were scored on all examples are measured.
    Measuring(Vec<Candidate>),
    /// The generation is over.
    Over,
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
        Self {
            pool: Pool::new(space, start),
            offspring: None,
            random: SplitMix64::new(seed),
            left,
            known: HashSet::new(),
            asked: Vec::new(),
            observations: Observations::default(),
            scored: Vec::new(),
            generation: 0,
            stage: Stage::Start,
            steps: Vec::new(),
        }
    }

    /// Notes the best so far, and makes the next generation unless the budget is used up.
    fn next(&mut self, history: &History) -> Result<Stage> {
        let within = self.scored.iter().filter(|it| history.is_within_limits(it) == Some(true));
        let within = within.filter_map(|it| history.entry(it));
        if let Some(best) = within.min_by(|a, b| history.compare(a, b))
            && self.course().steps.last().is_none_or(|last| last.interventions != best.interventions)
        {
            self.steps.push(step(history, &best.interventions)?);
        }
        let of_round = |number| range_of(number, history.examples()).len() * CHILDREN / ROUNDS[number].1;
        let least: usize = (0..ROUNDS.len()).map(of_round).sum();
        let is_used_up = match self.left {
            Budget::Evaluations(left) => self.generation > 0 && left < least,
            Budget::Candidates(left) => left == 0,
        };
        let Some(offspring) = self.offspring.as_ref().filter(|_| !is_used_up) else { return Ok(Stage::Finished) };
        let expectation = offspring.expectation(history, &self.observations, &self.scored);
        let children = expectation.children(self.generation, CHILDREN, &mut self.known, &mut self.random);
        if children.is_empty() {
            return Ok(Stage::Finished);
        }
        self.generation += 1;
        if let Budget::Candidates(left) = &mut self.left {
            *left = left.saturating_sub(children.len());
        }
        Ok(Stage::Round(0, children))
    }

    /// The job of round `number`; none where it has no examples of its own.
    fn round(&mut self, number: usize, field: &[Candidate], history: &History) -> Option<Job> {
        let n = history.examples();
        let range = range_of(number, n);
        if range.is_empty() {
            return None;
        }
        if let Budget::Evaluations(left) = &mut self.left {
            *left = left.saturating_sub(field.len() * range.len());
        }
        let label = format!("generation {}, round {}", self.generation, number + 1);
        // One round over all examples is the whole split.
        let examples = (range.len() < n).then_some(range);
        Some(Job::Score { label, candidates: field.to_vec(), examples })
    }

    /// Those of a round that go on to the next, the most valuable first.
    fn kept(&self, number: usize, field: Vec<Candidate>, history: &History) -> Vec<Candidate> {
        let Some(offspring) = &self.offspring else { return field };
        // Where a round has no examples all go on.
        if field.iter().all(|it| self.observations.get(it).is_none()) {
            return field;
        }
        let expectation = offspring.expectation(history, &self.observations, &self.scored);
        let value = |it: &Candidate| expectation.value(it).unwrap_or(f64::NEG_INFINITY);
        let mut valued: Vec<(f64, Candidate)> = field.into_iter().map(|it| (value(&it), it)).collect();
        valued.sort_by(|a, b| b.0.total_cmp(&a.0));
        valued.truncate(CHILDREN / ROUNDS[number].1);
        valued.into_iter().map(|(_, it)| it).collect()
    }
}

impl Strategy for Evolve {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        for job in std::mem::take(&mut self.asked) {
            self.observations.take(history, &job);
        }
        let jobs = self.ask(history)?;
        self.asked.clone_from(&jobs);
        Ok(jobs)
    }

    fn course(&self) -> Course {
        let mut course = self.pool.course();
        course.steps.extend_from_slice(&self.steps);
        course
    }

    fn budget(&mut self) -> Option<&mut Budget> {
        match self.stage {
            Stage::Start => self.pool.budget(),
            Stage::Measuring(_) => Some(&mut self.left),
            _ => None,
        }
    }
}

impl Evolve {
    fn ask(&mut self, history: &History) -> Result<Vec<Job>> {
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
                    let whole = self.observations.all().iter().filter(|it| it.examples == history.examples());
                    let better = whole.filter(|it| it.value() > 0.0).map(|it| it.candidate.clone());
                    self.scored = better.collect();
                    Stage::Single(Offspring::new(self.pool.space(), &self.observations))
                }
                Stage::Single(offspring) => {
                    let mut singles = offspring.singles();
                    singles.extend(self.scored.iter().filter(|_| !history.limits().is_none()).cloned());
                    if let Some(job) = unmeasured(history, &singles) {
                        self.stage = Stage::Single(offspring);
                        return Ok(vec![job]);
                    }
                    let offspring = if history.measures_costs() { offspring.with_costs(history) } else { offspring };
                    self.offspring = Some(offspring);
                    Stage::Over
                }
                Stage::Round(number, field) => {
                    let field = if number > 0 { self.kept(number, field, history) } else { field };
                    let job = self.round(number, &field, history);
                    let next = match number + 1 < ROUNDS.len() {
                        true => Stage::Round(number + 1, field),
                        false => Stage::Measuring(field),
                    };
                    if let Some(job) = job {
                        self.stage = next;
                        return Ok(vec![job]);
                    }
                    next
                }
                Stage::Measuring(scored) => match unmeasured(history, &scored) {
                    // Without limits they are chosen by their results alone.
                    Some(job) if !history.limits().is_none() => {
                        self.stage = Stage::Measuring(scored);
                        return Ok(vec![job]);
                    }
                    _ => {
                        self.scored.extend(scored);
                        Stage::Over
                    }
                },
                Stage::Over => self.next(history)?,
                Stage::Finished => return Ok(Vec::new()),
            };
        }
    }
}

/// The examples, of `n`, that round `number` adds.
fn range_of(number: usize, n: usize) -> ExampleRange {
    let end = |number: usize| n / ROUNDS[number].0;
    ExampleRange { start: number.checked_sub(1).map_or(0, end), end: end(number) }
}

/// Asks for the costs of candidates, where costs are measured, as far as they are not known. They say nothing before those of the
/// unedited model are known, which may come last.
fn unmeasured(history: &History, candidates: &[Candidate]) -> Option<Job> {
    let base = Candidate::base();
    let all = [&base].into_iter().chain(candidates);
    let missing = all.filter(|it| history.measures_costs() && history.cost(it).is_none());
    let missing: Vec<Candidate> = missing.cloned().collect();
    (!missing.is_empty()).then_some(Job::MeasureCosts { candidates: missing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beam::Beam;
    use crate::fake::{Fake, space};
    use crate::race::Race;
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
        assert_eq!(generations, 5);
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
        let journal = fake.journal();
        for lines in (1..journal.lines().count()).step_by(7) {
            fake.cut_journal(lines);
            assert_eq!(evolve(&mut fake, &space, 9_000), whole);
            // The scorer takes what is missing in an order of its own, but no line comes before it is asked for.
            let joins = |text: &str| text.lines().map(|line| line.contains("part")).collect::<Vec<_>>();
            assert_eq!(joins(&fake.journal()), joins(&journal), "{lines} lines");
        }
    }

    #[test]
    fn it_resumes_to_the_same_end_wherever_the_costs_were_cut_off() {
        for kl in [None, Some(0.1)] {
            let limits = CostLimits { kl, ..CostLimits::default() };
            let (space, mut fake) = helpful(Some(limits));
            let whole = evolve(&mut fake, &space, 9_000);
            assert!(whole.last().unwrap().interventions.interventions().len() > 1);
            let singles = space.len();
            // The last line of the first batch is the unedited model's.
            for lines in [singles + 5, singles + 1, singles, 3, 0] {
                fake.cut_journal(40);
                fake.cut_costs(lines);
                assert_eq!(evolve(&mut fake, &space, 9_000), whole, "{lines} lines of costs");
            }
        }
    }
}
