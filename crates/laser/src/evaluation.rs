//! What a model gives on examples, as it is or edited.

use crate::error::Result;
use crate::session::Session;
use crate::task_source::OpenTask;
use crate::text_source::OpenText;
use laser_edit::Candidate;
use laser_engine::{Detail, Editor, Evaluator, Response, record};
use laser_model::Model;
use laser_run::{Constant, Interval, Metrics, Perplexity, Record, statistics};
use laser_tasks::{Example, Outcome, Score};
use serde::Serialize;

/// Bytes for kept activations. Each example is seen once, so this only sets how often progress shows.
const MEMORY: usize = 1 << 28;

/// A model's score on some examples of a task.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// The task's name.
    pub task: String,
    /// Accuracy and log-loss.
    #[serde(flatten)]
    pub score: Score,
    /// The accuracy's 95 % interval (Wilson).
    pub accuracy_interval: Interval,
    /// The answer that is right most often.
    pub majority: Option<Constant>,
    /// Other metrics.
    #[serde(flatten)]
    pub metrics: Option<Metrics>,
    /// What each example gave.
    #[serde(skip)]
    pub examples: Vec<EvaluatedExample>,
}

/// What one example gave.
#[derive(Debug, Clone)]
pub struct EvaluatedExample {
    /// The example.
    pub example: Example,
    /// Right or wrong, and the answer's log-probability.
    pub outcome: Outcome,
    /// What else it gave.
    pub record: Record,
}

/// A model with edits, in memory. What no edit touches is the session's.
#[derive(Debug, Clone)]
pub struct Edited {
    edits: Candidate,
    model: Model,
}

impl Session {
    /// Edits the model in memory.
    ///
    /// # Errors
    /// If an edit does not fit the model, or a matrix cannot be decomposed.
    pub fn edit(&self, edits: &Candidate) -> Result<Edited> {
        let model = Editor::new(&self.checkpoint, &self.model).edit(edits)?;
        Ok(Edited { edits: edits.clone(), model })
    }

    /// Scores an edited model on the examples of `task` with these numbers.
    ///
    /// # Errors
    /// If an example does not fit the model, or the model computes infinities.
    pub fn evaluate(&self, edited: &Edited, task: &OpenTask, numbers: &[usize]) -> Result<Evaluation> {
        let examples = task.pick(numbers);
        let first_edited_layer = edited.edits.first_edited_layer(self.config().layers);
        let mut evaluator = Evaluator::new(&self.model, &self.tokenizer, examples.clone(), MEMORY)?;
        let mut responses: Vec<Response> = Vec::with_capacity(examples.len());
        let progress = &self.options.progress;
        progress.start("evaluating", examples.len(), 0);
        for chunk in 0..evaluator.chunks() {
            let finished = evaluator.evaluate_chunk(chunk, &edited.model, first_edited_layer, Detail::Full)?;
            progress.advance(finished.len());
            responses.extend(finished);
        }
        progress.finish();

        let outcomes: Vec<Outcome> = responses.iter().map(|response| response.outcome).collect();
        let records = examples.iter().zip(&responses).map(|(example, it)| record(example, it, &self.tokenizer));
        let records = records.collect::<laser_engine::Result<Vec<Record>>>()?;
        let score = Score::of(&outcomes);
        let right = outcomes.iter().filter(|outcome| outcome.correct).count();
        Ok(Evaluation {
            task: task.task.name.clone(),
            score,
            accuracy_interval: statistics::wilson(right, score.n),
            majority: Constant::most_frequent(&examples),
            metrics: Metrics::of(&examples, &records),
            examples: examples
                .into_iter()
                .zip(outcomes)
                .zip(records)
                .map(|((example, outcome), record)| EvaluatedExample { example: example.clone(), outcome, record })
                .collect(),
        })
    }

    /// The perplexity of `text` for an edited model.
    ///
    /// # Errors
    /// If the model computes infinities.
    pub fn perplexity(&self, edited: &Edited, text: &OpenText) -> Result<Perplexity> {
        let progress = &self.options.progress;
        progress.start("text", text.corpus.windows(), 0);
        let perplexity = text.corpus.perplexity(&edited.model, &|| progress.advance(1))?;
        progress.finish();
        Ok(perplexity)
    }
}
