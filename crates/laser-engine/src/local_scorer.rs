//! The scorer that is this process.

use crate::calibration::Observer;
use crate::content_free::ContentFreePrompts;
use crate::cost_scorer::{CostScorer, GuardExamples};
use crate::editor::{Editor, most_matrices};
use crate::error::Result;
use crate::evaluator::{Detail, Evaluator, Response};
use crate::gradient_change;
use crate::groups::groups;
use crate::reference_text::ReferenceText;
use crate::response_record::record;
use crate::tiles::STEP_TILES;
use laser_checkpoint::Checkpoint;
use laser_edit::Candidate;
use laser_example::{Example, Outcome};
use laser_kernels::{Backend, Cpu, Differentiable};
use laser_model::Model;
use laser_run::{Batch, CostReport, ExampleResult, Progress, Record, Report, Scorer, ScorerError, SplitName};
use laser_tokenizer::Tokenizer;

/// One part in so many of the memory is for decompositions, which a race or a composition comes
/// back to.
const DECOMPOSITIONS: usize = 4;

/// One part in so many is for measuring costs.
const COSTS: usize = 8;

/// Bytes for the activations of content-free prompts.
const CONTENT_FREE_MEMORY: usize = 1 << 27;

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
    /// Who has observed what edits need to know of the unedited model.
    pub observer: Option<&'a dyn Observer>,
    /// Bytes for activations and decompositions that are kept.
    pub memory: usize,
}

/// Takes what a finished candidate gave, by its number in the batch; the editor makes its model once more.
type Done<'f, 'a, B, K> = dyn FnMut(&mut Editor<'a, B>, usize, K) -> Result<(), ScorerError> + 'f;

/// Scores candidates by edited copies of a model in memory.
pub struct LocalScorer<'a, B: Backend = Cpu> {
    subject: Subject<'a, B>,
    kept: Option<Kept<'a, B>>,
    /// What measures costs.
    costs: Option<CostScorer<'a, B>>,
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
        Self { subject, kept: None, costs: None }
    }

    /// What is kept for a split, made anew for another split or precision: each has the whole
    /// memory.
    fn kept(&mut self, split: SplitName, exact: bool) -> Result<Kept<'a, B>> {
        let exact = exact || self.subject.compared.is_none();
        match self.kept.take() {
            Some(kept) if kept.split == split && kept.exact == exact => Ok(kept),
            other => {
                drop(other);
                let Subject { checkpoint, tokenizer, compared, memory, observer, .. } = self.subject;
                let model = compared.filter(|_| !exact).unwrap_or(self.subject.model);
                let decompositions = memory / DECOMPOSITIONS;
                let memory = memory - decompositions - self.cost_memory();
                Ok(Kept {
                    split,
                    exact,
                    evaluator: Evaluator::new(model, tokenizer, self.examples(split).to_vec(), memory)?,
                    editor: Editor::new(checkpoint, model).with_memory(decompositions).with_observer(observer),
                })
            }
        }
    }

    /// Bytes for the activations of what costs are measured on.
    fn cost_memory(&self) -> usize {
        let measures = self.subject.text.is_some() || !self.subject.guards.is_empty();
        if measures { self.subject.memory / COSTS } else { 0 }
    }

    fn examples(&self, split: SplitName) -> &[&'a Example] {
        match split {
            SplitName::Validation => &self.subject.validation,
            SplitName::Test => &self.subject.test,
        }
    }

    /// Scores each candidate of `batch`: `take` keeps what is needed of each response, in the order of the examples, and `done`
    /// hears of each candidate as soon as it is finished.
    ///
    /// # Errors
    /// Scoring fails, or `take` or `done` does.
    pub(crate) fn respond<K: Default>(
        &mut self,
        batch: &Batch,
        detail: Detail,
        progress: &dyn Progress,
        take: &mut dyn FnMut(&mut K, &Response) -> Result<()>,
        done: &mut Done<'_, 'a, B, K>,
    ) -> Result<(), ScorerError> {
        // Taken out while it is in use.
        let mut kept = self.kept(batch.split, batch.exact)?;
        let scored = self.respond_with(&mut kept, batch, detail, progress, take, done);
        self.kept = Some(kept);
        scored
    }

    fn respond_with<K: Default>(
        &self,
        kept: &mut Kept<'a, B>,
        batch: &Batch,
        detail: Detail,
        progress: &dyn Progress,
        take: &mut dyn FnMut(&mut K, &Response) -> Result<()>,
        done: &mut Done<'_, 'a, B, K>,
    ) -> Result<(), ScorerError> {
        let layers = self.subject.model.config().layers;
        let mut ordered: Vec<(usize, &Candidate)> = batch.candidates.iter().copied().enumerate().collect();
        ordered.sort_by_key(|(_, candidate)| candidate.first_edited_layer(layers));
        let mut of_some = match batch.examples {
            Some(numbers) => {
                kept.evaluator.release();
                Some(kept.evaluator.of_some(numbers))
            }
            None => None,
        };
        let (evaluator, editor) = (of_some.as_mut().unwrap_or(&mut kept.evaluator), &mut kept.editor);
        // Candidates of about the same first edited layer are scored together, some at a time. Where
        // the examples take several chunks, all of them go through a chunk one after the other, so
        // that what is kept of the unedited model is made once a layer.
        let matrices = most_matrices(ordered.iter().map(|(_, it)| *it), self.subject.model.config());
        let together = evaluator.together(0, matrices);
        let some = if evaluator.chunks() > 1 { usize::MAX } else { together };
        let first: Vec<usize> = ordered.iter().map(|(_, it)| it.first_edited_layer(layers)).collect();
        let groups = groups(&first, layers, together.div_ceil(STEP_TILES), some);
        for group in groups.into_iter().map(|group| &ordered[group]) {
            let mut scored: Vec<K> = group.iter().map(|_| K::default()).collect();
            for chunk in 0..evaluator.chunks() {
                let together = evaluator.together(chunk, matrices);
                for (group, scored) in group.chunks(together).zip(scored.chunks_mut(together)) {
                    let candidates: Vec<&Candidate> = group.iter().map(|(_, candidate)| *candidate).collect();
                    let edited = editor.edit_all(&candidates)?;
                    let responses = evaluator.evaluate_together(chunk, &edited, detail)?;
                    for (responses, scored) in responses.iter().zip(scored) {
                        progress.advance(responses.len());
                        responses.iter().try_for_each(|response| take(scored, response))?;
                    }
                    progress.go_on()?;
                }
            }
            for (&(number, _), scored) in group.iter().zip(scored) {
                done(editor, number, scored)?;
            }
            progress.pause()?;
        }
        Ok(())
    }
}

/// The records with what the model says to content-free prompts.
fn with_content_free<B: Backend>(
    prompts: &ContentFreePrompts,
    tokenizer: &Tokenizer,
    edited: &Model<B>,
    mut records: Vec<Record>,
    numbers: Option<&[usize]>,
) -> Result<Vec<Record>> {
    let examples: Vec<&Example> = prompts.examples.iter().collect();
    // Nothing is kept from one model to the next.
    let mut evaluator = Evaluator::new(edited, tokenizer, examples, CONTENT_FREE_MEMORY)?;
    let responses = evaluator.evaluate(edited, Detail::Outcome)?;
    prompts.note(&responses, &mut records, numbers);
    Ok(records)
}

impl<B: Differentiable> Scorer for LocalScorer<'_, B> {
    fn score(&mut self, batch: &Batch, progress: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        let all = self.examples(batch.split);
        let examples: Vec<&Example> = match batch.examples {
            None => all.to_vec(),
            Some(numbers) => numbers.iter().filter_map(|&i| all.get(i).copied()).collect(),
        };
        let with_records = batch.split == SplitName::Test;
        let detail = if with_records { Detail::Full } else { Detail::Outcome };
        let Subject { tokenizer, content_free, .. } = self.subject;
        let mut take = |scored: &mut Scored, response: &Response| {
            if with_records {
                scored.records.push(record(examples[scored.records.len()], response, tokenizer)?);
            }
            scored.outcomes.push(response.outcome);
            Ok(())
        };
        let mut done = |editor: &mut Editor<'_, B>, number: usize, scored: Scored| {
            let mut results: Vec<ExampleResult> = scored.outcomes.into_iter().map(ExampleResult::from).collect();
            if with_records {
                let edited = editor.edit(batch.candidates[number])?;
                let records = with_content_free(content_free, tokenizer, &edited, scored.records, batch.examples)?;
                results.iter_mut().zip(records).for_each(|(result, record)| result.record = Some(record));
            }
            report(number, results)
        };
        self.respond(batch, detail, progress, &mut take, &mut done)
    }

    fn rank_by_gradient(
        &mut self,
        candidates: &[Candidate],
        examples: &[usize],
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, ScorerError> {
        let Subject { checkpoint, tokenizer, observer, .. } = self.subject;
        let model = self.subject.compared.unwrap_or(self.subject.model);
        let all = self.examples(SplitName::Validation);
        let examples: Vec<&Example> = examples.iter().filter_map(|&i| all.get(i).copied()).collect();
        Ok(gradient_change::predict(checkpoint, model, tokenizer, observer, &examples, candidates, progress)?)
    }

    fn cost(
        &mut self,
        split: SplitName,
        candidates: &[&Candidate],
        progress: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        let costs = match self.costs.take() {
            Some(costs) if costs.split() == split => costs,
            other => {
                // The other half's makes room.
                drop(other);
                let Subject { model, tokenizer, text, guards, .. } = &self.subject;
                CostScorer::new(model, tokenizer, *text, guards, split, self.cost_memory())?
            }
        };
        let costs = self.costs.insert(costs);
        match &mut self.kept {
            // Its decompositions serve here, too.
            Some(kept) if kept.exact => costs.measure(&mut kept.editor, candidates, progress, report),
            _ => {
                let Subject { checkpoint, model, memory, observer, .. } = self.subject;
                let editor = Editor::new(checkpoint, model).with_memory(memory / DECOMPOSITIONS);
                let mut editor = editor.with_observer(observer);
                costs.measure(&mut editor, candidates, progress, report)
            }
        }
    }
}
