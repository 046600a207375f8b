//! The scorer that is a fleet.

use crate::cut::{cut, even};
use crate::fleet_job::{Fleet, Job};
use crate::message::{Answer, Ask};
use laser_edit::Candidate;
use laser_run::{Batch, CostReport, ExampleResult, Progress, Report, ResultKind, Scorer, ScorerError, SplitName};
use std::collections::HashMap;

/// Has a fleet score candidates. What it gives are the results of the fleet's workers, bit for bit.
#[derive(Debug)]
pub struct FleetScorer<'a> {
    /// The workers.
    pub fleet: &'a dyn Fleet,
    /// How many layers the model has.
    pub layers: usize,
    /// What results are.
    pub kind: ResultKind,
    /// Examples of the validation and of the test split.
    pub examples: [usize; 2],
}

/// What of a candidate is there.
struct Partial {
    results: Vec<Option<ExampleResult>>,
    missing: usize,
}

impl FleetScorer<'_> {
    /// Has jobs done that ask so and are of some layer and size, and takes the answers.
    fn work(
        &self,
        asked: &[(usize, f64, Ask)],
        progress: &dyn Progress,
        take: &mut dyn FnMut(usize, Answer) -> Result<(), ScorerError>,
    ) -> Result<(), ScorerError> {
        let job = |(layer, size, ask): &(usize, f64, Ask)| {
            Ok(Job { layer: *layer, size: *size, text: serde_json::to_string(ask)? })
        };
        let jobs = asked.iter().map(job).collect::<Result<Vec<_>, ScorerError>>()?;
        let mut waiting = vec![true; jobs.len()];
        self.fleet.work(&jobs, &mut |answer| {
            progress.go_on()?;
            let Some((number, text)) = answer else { return Ok(()) };
            match waiting.get_mut(number) {
                Some(waiting) if *waiting => *waiting = false,
                _ => return Err("a worker answered what was not asked".into()),
            }
            take(number, serde_json::from_str(text).map_err(|_| OTHER_VERSION)?)
        })?;
        match waiting.contains(&true) {
            true => Err("the fleet has left jobs undone".into()),
            false => Ok(()),
        }
    }
}

const OTHER_VERSION: &str = "a worker's answer cannot be read: a result of it is not a number, or the worker is of \
                             another version of laser";

impl Scorer for FleetScorer<'_> {
    fn kind(&self) -> ResultKind {
        self.kind
    }

    fn score(&mut self, batch: &Batch, progress: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        let whole = match batch.split {
            SplitName::Validation => self.examples[0],
            SplitName::Test => self.examples[1],
        };
        let examples = batch.examples.map_or(whole, <[usize]>::len);
        let first: Vec<usize> = batch.candidates.iter().map(|it| it.first_edited_layer(self.layers)).collect();
        let pieces = cut(self.layers, &first, examples, self.fleet.workers());
        let asked: Vec<(usize, f64, Ask)> = pieces
            .iter()
            .map(|piece| {
                let numbers = match batch.examples {
                    Some(numbers) => Some(numbers[piece.examples.clone()].to_vec()),
                    // A worker keeps what it has computed of the whole split.
                    None if piece.examples.len() == examples => None,
                    None => Some(piece.examples.clone().collect()),
                };
                let candidates = piece.candidates.iter().map(|&number| batch.candidates[number].clone()).collect();
                let (split, exact) = (batch.split, batch.exact);
                (piece.layer, piece.size, Ask::Score { split, candidates, examples: numbers, exact })
            })
            .collect();
        let partial = || Partial { results: vec![None; examples], missing: examples };
        // What has come of those candidates of which some is missing.
        let mut partials: HashMap<usize, Partial> = HashMap::new();
        self.work(&asked, progress, &mut |number, answer| {
            let (Answer::Scored(scored), piece) = (answer, &pieces[number]) else { return Err(OTHER_VERSION.into()) };
            if scored.len() != piece.candidates.len() {
                return Err(OTHER_VERSION.into());
            }
            for (&candidate, results) in piece.candidates.iter().zip(scored) {
                let results = results.into_results().filter(|results| results.len() == piece.examples.len());
                let results = results.ok_or(OTHER_VERSION)?;
                let partial = partials.entry(candidate).or_insert_with(partial);
                partial.missing -= results.len();
                partial.results.splice(piece.examples.clone(), results.into_iter().map(Some));
                progress.advance(piece.examples.len());
                if partial.missing == 0 {
                    let results = partials.remove(&candidate).into_iter().flat_map(|it| it.results);
                    report(candidate, results.flatten().collect())?;
                }
            }
            Ok(())
        })
    }

    fn rank_by_gradient(
        &mut self,
        candidates: &[Candidate],
        examples: &[usize],
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, ScorerError> {
        // Each worker goes back through the model as far as its layers are.
        let mut numbers: Vec<usize> = (0..candidates.len()).collect();
        let first = |number: usize| candidates[number].first_edited_layer(self.layers);
        numbers.sort_by_key(|&number| first(number));
        let groups: Vec<&[usize]> = numbers.chunk_by(|&a, &b| first(a) == first(b)).collect();
        let parts: Vec<Vec<usize>> = even(groups.len(), self.fleet.workers().clamp(1, groups.len().max(1)))
            .map(|it| groups[it].concat())
            .collect();
        let ask = |part: &Vec<usize>| {
            let lowest = part.first().map_or(self.layers, |&number| first(number));
            let size = (2 * self.layers - lowest) * examples.len();
            let candidates = part.iter().map(|&number| candidates[number].clone()).collect();
            (lowest, size as f64, Ask::Rank { candidates, examples: examples.to_vec() })
        };
        let asked: Vec<(usize, f64, Ask)> = parts.iter().map(ask).collect();
        let mut changes = vec![0.0; candidates.len()];
        progress.start("gradients", candidates.len(), 0);
        self.work(&asked, progress, &mut |number, answer| {
            let Answer::Ranked(ranked) = answer else { return Err(OTHER_VERSION.into()) };
            if ranked.len() != parts[number].len() {
                return Err(OTHER_VERSION.into());
            }
            progress.advance(ranked.len());
            parts[number].iter().zip(ranked).for_each(|(&number, bits)| changes[number] = f64::from_bits(bits));
            Ok(())
        })?;
        progress.finish();
        Ok(changes)
    }

    fn cost(
        &mut self,
        split: SplitName,
        candidates: &[&Candidate],
        progress: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        let first: Vec<usize> = candidates.iter().map(|it| it.first_edited_layer(self.layers)).collect();
        // A text is measured as a whole.
        let pieces = cut(self.layers, &first, 1, self.fleet.workers());
        let ask = |piece: &crate::cut::Piece| {
            let candidates = piece.candidates.iter().map(|&number| candidates[number].clone()).collect();
            (piece.layer, piece.size, Ask::Cost { split, candidates })
        };
        let asked: Vec<(usize, f64, Ask)> = pieces.iter().map(ask).collect();
        self.work(&asked, progress, &mut |_, answer| {
            let Answer::Costs(costs) = answer else { return Err(OTHER_VERSION.into()) };
            progress.advance(costs.len());
            costs.into_iter().try_for_each(&mut *report)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet_job::Take;
    use crate::worker::answer;
    use laser_run::{Record, RunDescription, Silent};
    use std::sync::Mutex;

    /// A candidate's result follows from its name and the example.
    struct Plain;

    fn result(candidate: &Candidate, split: SplitName, example: usize) -> ExampleResult {
        let name: f64 = candidate.to_string().bytes().map(f64::from).sum();
        let record = (split == SplitName::Test).then(|| Record { answer_rank: example, ..Record::default() });
        ExampleResult { record, ..ExampleResult::real(name / 3.0 + example as f64, 1.0 / (1.0 + name)) }
    }

    impl Scorer for Plain {
        fn kind(&self) -> ResultKind {
            ResultKind::Real
        }

        fn score(&mut self, batch: &Batch, _: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
            let all: Vec<usize> = (0..100).collect();
            for (number, candidate) in batch.candidates.iter().enumerate() {
                let numbers = batch.examples.unwrap_or(&all);
                report(number, numbers.iter().map(|&example| result(candidate, batch.split, example)).collect())?;
            }
            Ok(())
        }

        fn rank_by_gradient(
            &mut self,
            candidates: &[Candidate],
            examples: &[usize],
            _: &dyn Progress,
        ) -> Result<Vec<f64>, ScorerError> {
            let one = |candidate| examples.iter().map(|&it| result(candidate, SplitName::Validation, it).value).sum();
            Ok(candidates.iter().map(one).collect())
        }
    }

    /// What it does wrong, once.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fault {
        None,
        Twice,
        Loses,
        Garbles,
    }

    #[derive(Debug)]
    struct Local(Mutex<Fault>);

    impl Fleet for Local {
        fn opened(&self, _: Option<&str>) -> Result<Option<RunDescription>, ScorerError> {
            Err("not asked for here".into())
        }

        fn workers(&self) -> usize {
            3
        }

        fn work(&self, jobs: &[Job], take: &mut Take) -> Result<(), ScorerError> {
            let fault = *self.0.lock().unwrap();
            for (number, job) in jobs.iter().enumerate().rev() {
                let text = answer(&mut Plain, &job.text, &Silent)?;
                match fault {
                    Fault::Loses if number == 0 => continue,
                    Fault::Garbles => take(Some((number, &text[1..])))?,
                    Fault::Twice => take(Some((number, &text)))?,
                    _ => {}
                }
                take(Some((number, &text)))?;
            }
            Ok(())
        }
    }

    fn candidates() -> Vec<Candidate> {
        let one = |layer: usize, rho: f64| {
            let edit = serde_json::json!([{"layer": layer, "matrix": "fc_in", "rho": rho}]);
            serde_json::from_value(edit).unwrap()
        };
        let edits = (0..4).flat_map(|layer| [0.5, 0.2, 0.1].map(|rho| one(3 - layer, rho)));
        std::iter::once(Candidate::base()).chain(edits).collect()
    }

    /// What a scorer reports, by candidate.
    fn scored(scorer: &mut dyn Scorer, split: SplitName, examples: Option<&[usize]>) -> Result<String, ScorerError> {
        let all = candidates();
        let all: Vec<&Candidate> = all.iter().collect();
        let mut found = vec![Vec::new(); all.len()];
        let batch = Batch { candidates: &all, split, examples, exact: false };
        scorer.score(&batch, &Silent, &mut |number, results| {
            assert!(found[number].is_empty(), "reported twice");
            found[number] = results;
            Ok(())
        })?;
        Ok(format!("{found:?}"))
    }

    #[test]
    fn what_comes_back_is_what_one_process_gives() {
        let fleet = Local(Mutex::new(Fault::None));
        let mut scorer = FleetScorer { fleet: &fleet, layers: 4, kind: ResultKind::Real, examples: [100, 100] };
        let some: Vec<usize> = (3..60).rev().collect();
        for split in [SplitName::Validation, SplitName::Test] {
            for examples in [None, Some(some.as_slice()), Some(&some[..1])] {
                assert_eq!(scored(&mut scorer, split, examples).unwrap(), scored(&mut Plain, split, examples).unwrap());
            }
        }
        let ranked = scorer.rank_by_gradient(&candidates()[1..], &some, &Silent).unwrap();
        assert_eq!(ranked, Plain.rank_by_gradient(&candidates()[1..], &some, &Silent).unwrap());
    }

    #[test]
    fn a_fleet_that_does_otherwise_is_refused() {
        for (fault, expected) in [
            (Fault::Twice, "what was not asked"),
            (Fault::Loses, "has left jobs undone"),
            (Fault::Garbles, "another version of laser"),
        ] {
            let fleet = Local(Mutex::new(fault));
            let mut scorer = FleetScorer { fleet: &fleet, layers: 4, kind: ResultKind::Real, examples: [100, 100] };
            let error = scored(&mut scorer, SplitName::Validation, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = answer(&mut Plain, "{}", &Silent).unwrap_err().to_string();
        assert!(error.contains("another version"), "{error}");
    }
}
