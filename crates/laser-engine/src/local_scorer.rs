//! The scorer that is this process.

use crate::content_free::ContentFreePrompts;
use crate::cost_meter::CostMeter;
use crate::editor::Editor;
use crate::error::Result;
use crate::evaluator::{Detail, Evaluator};
use crate::gradient_change;
use crate::reference_text::ReferenceText;
use crate::response_record::record;
use laser_checkpoint::{Checkpoint, Config};
use laser_edit::{Candidate, Intervention, MatrixId};
use laser_example::{Example, Outcome, Score};
use laser_kernels::{Backend, Cpu, Differentiable};
use laser_model::Model;
use laser_run::{
    Batch, Cost, CostReport, ExampleResult, GuardResult, Progress, Record, Report, Scorer, ScorerError, SplitName,
};
use laser_tokenizer::Tokenizer;

/// One part in so many of the memory is for decompositions, which a race or a composition comes
/// back to.
const DECOMPOSITIONS: usize = 4;

/// One part in so many is for measuring costs.
const COSTS: usize = 8;

/// Bytes for the activations of content-free prompts.
const CONTENT_FREE_MEMORY: usize = 1 << 27;

/// Bytes for the activations of a guard task.
const GUARD_MEMORY: usize = 1 << 28;

/// What a [`LocalScorer`] scores, and with what.
pub struct Subject<'a, B: Backend = Cpu> {
    /// The weights on disk, which edits start from.
    pub checkpoint: &'a Checkpoint,
    /// The weights in memory.
    pub model: &'a Model<B>,
    /// A copy of the model in another precision, by which candidates are compared on validation.
    pub compared: Option<&'a Model<B>>,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The examples of the validation split.
    pub validation: Vec<&'a Example>,
    /// The examples of the test split.
    pub test: Vec<&'a Example>,
    /// The content-free prompts of the test split's examples.
    pub content_free: &'a ContentFreePrompts,
    /// The text on which costs are measured.
    pub text: Option<&'a ReferenceText>,
    /// The guard tasks.
    pub guards: Vec<GuardExamples<'a>>,
    /// Bytes for activations and decompositions that are kept.
    pub memory: usize,
}

/// A task that edits are not to harm.
#[derive(Debug, Clone, Default)]
pub struct GuardExamples<'a> {
    /// The examples that serve choosing.
    pub validation: Vec<&'a Example>,
    /// The examples that serve reporting.
    pub test: Vec<&'a Example>,
}

/// Scores candidates by edited copies of a model in memory.
pub struct LocalScorer<'a, B: Backend = Cpu> {
    subject: Subject<'a, B>,
    kept: Option<Kept<'a, B>>,
    /// What measures costs on one half of the text.
    meter: Option<(SplitName, CostMeter<'a, B>)>,
}

/// What is kept between batches over one split by one model.
struct Kept<'a, B: Backend> {
    split: SplitName,
    exact: bool,
    evaluator: Evaluator<'a, B>,
    editor: Editor<'a, B>,
}

/// What a candidate gave so far.
#[derive(Default)]
struct Scored {
    outcomes: Vec<Outcome>,
    records: Vec<Record>,
}

impl<'a, B: Backend> LocalScorer<'a, B> {
    /// A scorer of `subject`.
    pub fn new(subject: Subject<'a, B>) -> Self {
        Self { subject, kept: None, meter: None }
    }

    /// What is kept for a split, made anew for another split or precision: each has the whole
    /// memory.
    fn kept(&mut self, split: SplitName, exact: bool) -> Result<Kept<'a, B>> {
        let exact = exact || self.subject.compared.is_none();
        match self.kept.take() {
            Some(kept) if kept.split == split && kept.exact == exact => Ok(kept),
            other => {
                drop(other);
                let Subject { checkpoint, tokenizer, compared, memory, .. } = self.subject;
                let model = compared.filter(|_| !exact).unwrap_or(self.subject.model);
                let decompositions = memory / DECOMPOSITIONS;
                let memory = memory - decompositions - self.cost_memory();
                Ok(Kept {
                    split,
                    exact,
                    evaluator: Evaluator::new(model, tokenizer, self.examples(split).to_vec(), memory)?,
                    editor: Editor::new(checkpoint, model).with_memory(decompositions),
                })
            }
        }
    }

    /// Bytes for the activations of what costs are measured on.
    fn cost_memory(&self) -> usize {
        if self.subject.text.is_some() { self.subject.memory / COSTS } else { 0 }
    }

    fn examples(&self, split: SplitName) -> &[&'a Example] {
        match split {
            SplitName::Validation => &self.subject.validation,
            SplitName::Test => &self.subject.test,
        }
    }

    fn score_with(
        &self,
        kept: &mut Kept<'a, B>,
        batch: &Batch,
        progress: &dyn Progress,
        report: &mut Report,
    ) -> Result<(), ScorerError> {
        let layers = self.subject.model.config().layers;
        let mut ordered: Vec<(usize, &Candidate)> = batch.candidates.iter().copied().enumerate().collect();
        ordered.sort_by_key(|(_, candidate)| candidate.first_edited_layer(layers));
        let all = self.examples(batch.split);
        let examples: Vec<&'a Example> = match batch.examples {
            None => all.to_vec(),
            Some(numbers) => numbers.iter().filter_map(|&i| all.get(i).copied()).collect(),
        };
        let with_records = batch.split == SplitName::Test;
        let detail = if with_records { Detail::Full } else { Detail::Outcome };
        let mut of_some = match batch.examples {
            Some(numbers) => {
                kept.evaluator.release();
                Some(kept.evaluator.of_some(numbers))
            }
            None => None,
        };
        let (evaluator, editor) = (of_some.as_mut().unwrap_or(&mut kept.evaluator), &mut kept.editor);
        // Candidates of one first edited layer are scored together, some at a time. Where the
        // examples take several chunks, all of them go through a chunk one after the other, so that
        // what is kept of the unedited model is made once a layer.
        let some = if evaluator.chunks() > 1 { usize::MAX } else { evaluator.together(0) };
        let first = |it: &(usize, &Candidate)| it.1.first_edited_layer(layers);
        for group in ordered.chunk_by(|a, b| first(a) == first(b)).flat_map(|candidates| candidates.chunks(some)) {
            let mut scored: Vec<Scored> = group.iter().map(|_| Scored::default()).collect();
            for chunk in 0..evaluator.chunks() {
                let together = evaluator.together(chunk);
                for (group, scored) in group.chunks(together).zip(scored.chunks_mut(together)) {
                    let candidates: Vec<&Candidate> = group.iter().map(|(_, candidate)| *candidate).collect();
                    let edited = editor.edit_all(&candidates)?;
                    let responses = evaluator.evaluate_together(chunk, &edited, detail)?;
                    for (responses, scored) in responses.iter().zip(scored) {
                        progress.advance(responses.len());
                        if with_records {
                            for response in responses {
                                let example = examples[scored.records.len()];
                                scored.records.push(record(example, response, self.subject.tokenizer)?);
                            }
                        }
                        scored.outcomes.extend(responses.iter().map(|response| response.outcome));
                    }
                }
            }
            for (&(number, candidate), scored) in group.iter().zip(scored) {
                let mut results: Vec<ExampleResult> = scored.outcomes.into_iter().map(ExampleResult::from).collect();
                if with_records {
                    let edited = editor.edit(candidate)?;
                    let records = self.with_content_free(&edited, scored.records, batch.examples)?;
                    results.iter_mut().zip(records).for_each(|(result, record)| result.record = Some(record));
                }
                report(number, results)?;
            }
        }
        Ok(())
    }

    fn cost_with(
        &mut self,
        editor: &mut Editor<'a, B>,
        split: SplitName,
        candidates: &[&Candidate],
        progress: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        let model = self.subject.model;
        let config = model.config();
        let mut meter = match (self.meter.take(), self.subject.text) {
            (Some((half, meter)), _) if half == split => Some(meter),
            (_, Some(text)) => Some(CostMeter::new(model, text.half(split), self.cost_memory())?),
            (_, None) => None,
        };
        let mut guards = Vec::with_capacity(self.subject.guards.len());
        for guard in &self.subject.guards {
            let examples = if split == SplitName::Test { &guard.test } else { &guard.validation };
            guards.push(Evaluator::new(model, self.subject.tokenizer, examples.clone(), GUARD_MEMORY)?);
        }
        let mut ordered: Vec<&Candidate> = candidates.to_vec();
        ordered.sort_by_key(|candidate| candidate.first_edited_layer(config.layers));
        let together = meter.as_ref().map_or(1, CostMeter::together);
        let first = |candidate: &Candidate| candidate.first_edited_layer(config.layers);
        for group in ordered.chunk_by(|a, b| first(a) == first(b)).flat_map(|group| group.chunks(together)) {
            let edited = editor.edit_all(group)?;
            let texts = meter.as_mut().map(|meter| meter.measure(&edited)).transpose()?;
            let mut of_guards = vec![Vec::with_capacity(guards.len()); group.len()];
            for guard in &mut guards {
                for (results, found) in of_guards.iter_mut().zip(guard_results(guard, &edited)?) {
                    results.push(found);
                }
            }
            let mut texts = texts.into_iter().flatten();
            for (candidate, guards) in group.iter().zip(of_guards) {
                let text = texts.next();
                report(Cost {
                    split,
                    interventions: (*candidate).clone(),
                    first_token_kl: text.as_ref().map_or(0.0, |text| text.first_token_kl),
                    text: text.map_or_else(Vec::new, |text| text.windows),
                    saved_weights: saved_weights(config, candidate),
                    guards,
                })?;
                progress.advance(1);
            }
        }
        self.meter = meter.map(|meter| (split, meter));
        Ok(())
    }

    /// The records with what the model says to content-free prompts.
    fn with_content_free(
        &self,
        edited: &Model<B>,
        mut records: Vec<Record>,
        numbers: Option<&[usize]>,
    ) -> Result<Vec<Record>> {
        let prompts = self.subject.content_free;
        let examples: Vec<&Example> = prompts.examples.iter().collect();
        // Nothing is kept from one model to the next.
        let mut evaluator = Evaluator::new(edited, self.subject.tokenizer, examples, CONTENT_FREE_MEMORY)?;
        let responses = evaluator.evaluate(edited, Detail::Outcome)?;
        prompts.note(&responses, &mut records, numbers);
        Ok(records)
    }
}

/// What each of `edited` gives on a guard task.
fn guard_results<B: Backend>(guard: &mut Evaluator<B>, edited: &[Model<B>]) -> Result<Vec<GuardResult>> {
    let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::new(); edited.len()];
    for chunk in 0..guard.chunks() {
        let responses = guard.evaluate_together(chunk, edited, Detail::Outcome)?;
        for (outcomes, responses) in outcomes.iter_mut().zip(responses) {
            outcomes.extend(responses.iter().map(|response| response.outcome));
        }
    }
    let result = |outcomes: &Vec<Outcome>| GuardResult {
        score: Score::of(outcomes),
        correct: outcomes.iter().map(|outcome| if outcome.correct { '1' } else { '0' }).collect(),
    };
    Ok(outcomes.iter().map(result).collect())
}

/// How many weights fewer are stored where the low-rank matrices of a candidate are stored as two factors, if that is less.
fn saved_weights(config: &Config, candidate: &Candidate) -> u64 {
    let of_matrix = |edit: &Intervention, matrix: MatrixId| {
        let [rows, cols] = matrix.kind.shape(config);
        let factors = edit.edit.kept_rank(rows, cols)?.saturating_mul(rows + cols);
        Some((rows * cols).saturating_sub(factors) as u64)
    };
    let edits = candidate.interventions().iter();
    edits.flat_map(|edit| edit.matrix.each(config).into_iter().filter_map(move |matrix| of_matrix(edit, matrix))).sum()
}

impl<B: Differentiable> Scorer for LocalScorer<'_, B> {
    fn score(&mut self, batch: &Batch, progress: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        // Taken out while it is in use.
        let mut kept = self.kept(batch.split, batch.exact)?;
        let scored = self.score_with(&mut kept, batch, progress, report);
        self.kept = Some(kept);
        scored
    }

    fn rank_by_gradient(
        &mut self,
        candidates: &[Candidate],
        examples: &[usize],
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, ScorerError> {
        let Subject { checkpoint, tokenizer, .. } = self.subject;
        let model = self.subject.compared.unwrap_or(self.subject.model);
        let all = self.examples(SplitName::Validation);
        let examples: Vec<&Example> = examples.iter().filter_map(|&i| all.get(i).copied()).collect();
        Ok(gradient_change::predict(checkpoint, model, tokenizer, &examples, candidates, progress)?)
    }

    fn cost(
        &mut self,
        split: SplitName,
        candidates: &[&Candidate],
        progress: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        // Its decompositions serve here, too.
        let scored = self.kept.as_ref().filter(|kept| kept.exact).map_or(SplitName::Validation, |kept| kept.split);
        let mut kept = self.kept(scored, true)?;
        let measured = self.cost_with(&mut kept.editor, split, candidates, progress, report);
        self.kept = Some(kept);
        measured
    }
}
