//! Scoring candidates on a split, each noted in the journal.

use crate::journal::{Entry, Journal, Part, SplitName};
use crate::search::Subject;
use crate::{Error, Result};
use laser_engine::ContentFreePrompts;
use laser_engine::{Candidate, Editor};
use laser_engine::{Detail, Evaluator};
use laser_model::Model;
use laser_run::Progress;
use laser_run::Record;
use laser_tasks::{Example, Outcome, SplitMix64};
use std::collections::{HashMap, HashSet};

/// One part in so many of the memory is for decompositions, which a race or a composition comes back to.
const DECOMPOSITIONS: usize = 4;

/// A split's examples and the journal of what candidates gave on them.
pub struct Sweep<'a> {
    subject: &'a Subject<'a>,
    split: SplitName,
    examples: Vec<&'a Example>,
    /// The examples' numbers in the order in which races take them.
    order: Vec<usize>,
    /// On the test split, where records are kept.
    blanks: Option<&'a ContentFreePrompts>,
    memory: usize,
    /// Candidates and parts that this sweep has been asked for.
    scored: HashSet<(String, Option<Part>)>,
    evaluator: Evaluator<'a>,
    editor: Editor<'a>,
    journal: &'a mut Journal,
    progress: &'a dyn Progress,
}

impl<'a> Sweep<'a> {
    /// A sweep over the validation split; `seed` orders its examples for races.
    pub fn on_validation(
        subject: &'a Subject<'a>,
        examples: Vec<&'a Example>,
        seed: u64,
        memory: usize,
        journal: &'a mut Journal,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let mut sweep = Self::new(subject, SplitName::Validation, examples, None, memory, journal, progress)?;
        SplitMix64::new(seed).shuffle(&mut sweep.order);
        Ok(sweep)
    }

    /// A sweep over the test split, with records.
    pub fn on_test(
        subject: &'a Subject<'a>,
        examples: Vec<&'a Example>,
        blanks: &'a ContentFreePrompts,
        memory: usize,
        journal: &'a mut Journal,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        Self::new(subject, SplitName::Test, examples, Some(blanks), memory, journal, progress)
    }

    fn new(
        subject: &'a Subject<'a>,
        split: SplitName,
        examples: Vec<&'a Example>,
        blanks: Option<&'a ContentFreePrompts>,
        memory: usize,
        journal: &'a mut Journal,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let decompositions = memory / DECOMPOSITIONS;
        let memory = memory - decompositions;
        Ok(Self {
            evaluator: Evaluator::new(subject.model, subject.tokenizer, examples.clone(), memory)?,
            editor: Editor::new(subject.checkpoint, subject.model).with_memory(decompositions),
            order: (0..examples.len()).collect(),
            subject,
            split,
            examples,
            blanks,
            memory,
            scored: HashSet::new(),
            journal,
            progress,
        })
    }

    /// The model.
    pub fn subject(&self) -> &'a Subject<'a> {
        self.subject
    }

    /// The examples, in the split's order.
    pub fn examples(&self) -> &[&'a Example] {
        &self.examples
    }

    /// The examples' numbers in the order in which races take them.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Who hears how far the work is.
    pub fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    /// What a candidate gave on the whole split, if it has been scored.
    pub fn entry(&self, candidate: &Candidate) -> Option<&Entry> {
        self.journal.get(self.split, candidate)
    }

    /// What a candidate gave on a part.
    pub fn part(&self, candidate: &Candidate, part: Part) -> Option<&Entry> {
        self.journal.get_part(self.split, candidate, Some(part))
    }

    /// Scores on the whole split the candidates that have not been yet.
    pub fn score(&mut self, what: &str, candidates: &[Candidate]) -> Result<()> {
        self.run(what, candidates, None)
    }

    /// Scores on a part of the split, by the races' order, the candidates that have not been yet.
    pub fn score_part(&mut self, what: &str, candidates: &[Candidate], part: Part) -> Result<()> {
        self.run(what, candidates, Some(part))
    }

    /// Notes as scored on the whole split a candidate that has been on all of `parts`, which make up the split.
    pub fn join(&mut self, candidate: &Candidate, parts: &[Part]) -> Result<()> {
        self.scored.insert((candidate.to_string(), None));
        if self.entry(candidate).is_some() {
            return Ok(());
        }
        let mut outcomes: Vec<Option<Outcome>> = vec![None; self.examples.len()];
        for &part in parts {
            if let Some(entry) = self.part(candidate, part) {
                let found: Vec<Outcome> = entry.outcomes().collect();
                self.order[part.0..part.1].iter().zip(found).for_each(|(&i, outcome)| outcomes[i] = Some(outcome));
            }
        }
        match outcomes.into_iter().collect::<Option<Vec<_>>>() {
            Some(outcomes) => Ok(self.journal.append(Entry::new(self.split, candidate, &outcomes))?),
            // A journal whose parts are not this split's: the candidate is scored as if there were none.
            None => self.score("validation", std::slice::from_ref(candidate)),
        }
    }

    /// On how many examples candidates have been scored, summed over the candidates.
    pub fn evaluations(&self) -> usize {
        let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
        for entry in self.journal.entries().iter().filter(|entry| entry.split == self.split) {
            let (whole, parts) = seen.entry(entry.interventions.to_string()).or_default();
            match entry.part {
                None => *whole = self.examples.len(),
                Some((from, to)) => *parts += to - from,
            }
        }
        seen.values().map(|&(whole, parts)| whole.max(parts)).sum()
    }

    fn run(&mut self, what: &str, candidates: &[Candidate], part: Option<Part>) -> Result<()> {
        let layers = self.subject.model.config().layers;
        let mut missing: Vec<&Candidate> = candidates
            .iter()
            .filter(|candidate| self.journal.get_part(self.split, candidate, part).is_none())
            .collect();
        missing.sort_by_key(|candidate| candidate.boundary(layers));
        let examples: Vec<&Example> = match part {
            None => self.examples.clone(),
            Some((from, to)) => self.order[from..to].iter().map(|&i| self.examples[i]).collect(),
        };
        let step = examples.len();
        // What this process has scored is not told again as done before.
        let asked = candidates.iter().filter(|it| self.scored.insert((it.to_string(), part))).count();
        let before = asked.saturating_sub(missing.len());
        if missing.is_empty() && before == 0 {
            return Ok(());
        }
        self.progress.start(what, (missing.len() + before) * step, before * step);
        let mut of_part = match part {
            Some(_) if !missing.is_empty() => {
                let Subject { model, tokenizer, .. } = *self.subject;
                self.evaluator.release();
                Some(Evaluator::new(model, tokenizer, examples.clone(), self.memory)?)
            }
            _ => None,
        };
        let evaluator = of_part.as_mut().unwrap_or(&mut self.evaluator);
        // Candidates of one lowest edited layer are scored together, some at a time. Where the examples take several chunks,
        // all of them go through a chunk one after the other, so that its streams are made once a layer.
        let some = if evaluator.chunks() > 1 { usize::MAX } else { evaluator.together(0) };
        let of_a_layer = missing.chunk_by(|a, b| a.boundary(layers) == b.boundary(layers));
        for group in of_a_layer.flat_map(|candidates| candidates.chunks(some)) {
            let mut scored: Vec<Scored> = group.iter().map(|_| Scored::default()).collect();
            for chunk in 0..evaluator.chunks() {
                let together = evaluator.together(chunk);
                for (candidates, scored) in group.chunks(together).zip(scored.chunks_mut(together)) {
                    let edited = self.editor.edit_all(candidates)?;
                    let boundary = candidates[0].boundary(layers);
                    let detail = if self.blanks.is_some() { Detail::Full } else { Detail::Outcome };
                    let responses = evaluator.evaluate_together(chunk, &edited, boundary, detail)?;
                    for (responses, scored) in responses.iter().zip(scored) {
                        self.progress.advance(responses.len());
                        if self.blanks.is_some() {
                            for response in responses {
                                let example = examples[scored.records.len()];
                                scored.records.push(laser_engine::record(example, response, self.subject.tokenizer)?);
                            }
                        }
                        scored.outcomes.extend(responses.iter().map(|response| response.outcome));
                    }
                }
            }
            for (candidate, scored) in group.iter().zip(scored) {
                let mut entry = Entry::new(self.split, candidate, &scored.outcomes);
                if let Some(part) = part {
                    entry = entry.on(part);
                }
                if let Some(blanks) = self.blanks {
                    let edited = self.editor.edit(candidate)?;
                    entry = entry.with_records(with_blanks(self.subject, &edited, blanks, scored.records)?);
                }
                self.journal.append(entry)?;
            }
        }
        self.progress.finish();
        Ok(())
    }

    /// What the unedited model gave, which is scored first.
    pub fn base(&self) -> Result<&Entry> {
        self.entry(&Candidate::base()).ok_or(Error::NoCandidates { why: "the unedited model has not been scored" })
    }
}

/// What a candidate gave so far.
#[derive(Default)]
struct Scored {
    outcomes: Vec<Outcome>,
    records: Vec<Record>,
}

/// The records with what the model says to empty prompts.
fn with_blanks(
    subject: &Subject,
    edited: &Model,
    blanks: &ContentFreePrompts,
    mut records: Vec<Record>,
) -> Result<Vec<Record>> {
    let examples: Vec<&Example> = blanks.examples.iter().collect();
    // Nothing is kept from one model to the next.
    let mut evaluator = Evaluator::new(edited, subject.tokenizer, examples, BLANK_MEMORY)?;
    let responses = evaluator.evaluate(edited, 0, Detail::Outcome)?;
    blanks.note(&responses, &mut records);
    Ok(records)
}

/// Bytes for the activations of empty prompts.
const BLANK_MEMORY: usize = 1 << 27;
