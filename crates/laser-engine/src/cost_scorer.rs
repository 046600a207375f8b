//! What candidates do elsewhere than on the task: to one half of a text, and to the guard tasks.

use crate::cost_meter::CostMeter;
use crate::editor::{Editor, most_matrices};
use crate::error::Result;
use crate::evaluator::{Detail, Evaluator};
use crate::reference_text::ReferenceText;
use laser_checkpoint::Config;
use laser_edit::{Candidate, Intervention, MatrixId};
use laser_example::{Example, Outcome, Score};
use laser_kernels::Backend;
use laser_model::Model;
use laser_run::{Cost, CostReport, GuardResult, Progress, ScorerError, SplitName};
use laser_tokenizer::Tokenizer;

/// A task that edits are not to harm.
#[derive(Debug, Clone, Default)]
pub struct GuardExamples<'a> {
    /// The examples that serve choosing.
    pub validation: Vec<&'a Example>,
    /// The examples that serve reporting.
    pub test: Vec<&'a Example>,
}

/// Measures the costs of candidates on one half.
pub struct CostScorer<'a, B: Backend> {
    split: SplitName,
    config: &'a Config,
    meter: Option<CostMeter<'a, B>>,
    guards: Vec<Evaluator<'a, B>>,
}

impl<'a, B: Backend> CostScorer<'a, B> {
    /// A scorer of edited copies of `model`; `memory` is the number of bytes that activations may take.
    ///
    /// # Errors
    /// If a guard's example cannot be encoded.
    pub fn new(
        model: &'a Model<B>,
        tokenizer: &'a Tokenizer,
        text: Option<&ReferenceText>,
        guards: &[GuardExamples<'a>],
        split: SplitName,
        memory: usize,
    ) -> Result<Self> {
        let share = memory / (guards.len() + usize::from(text.is_some())).max(1);
        let evaluator = |guard: &GuardExamples<'a>| {
            let examples = if split == SplitName::Test { &guard.test } else { &guard.validation };
            Evaluator::new(model, tokenizer, examples.clone(), share)
        };
        Ok(Self {
            split,
            config: model.config(),
            meter: text.map(|text| CostMeter::new(model, text.half(split), share)),
            guards: guards.iter().map(evaluator).collect::<Result<_>>()?,
        })
    }

    /// The half that it measures on.
    pub fn split(&self) -> SplitName {
        self.split
    }

    /// Measures `candidates`, from the first edited layer on, and reports each as soon as it is finished.
    ///
    /// # Errors
    /// An edit cannot be made, a model cannot be run, or `report` fails.
    pub fn measure(
        &mut self,
        editor: &mut Editor<B>,
        candidates: &[&Candidate],
        progress: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        let first = |candidate: &Candidate| candidate.first_edited_layer(self.config.layers);
        let mut ordered: Vec<&Candidate> = candidates.to_vec();
        ordered.sort_by_key(|candidate| first(candidate));
        let matrices = most_matrices(candidates.iter().copied(), self.config);
        let together = self.meter.as_ref().map_or(1, |meter| meter.together(matrices));
        for group in ordered.chunk_by(|a, b| first(a) == first(b)).flat_map(|group| group.chunks(together)) {
            let edited = editor.edit_all(group)?;
            let mut texts = self.meter.as_mut().map(|meter| meter.measure(&edited)).transpose()?.into_iter().flatten();
            let mut of_guards = vec![Vec::with_capacity(self.guards.len()); group.len()];
            for guard in &mut self.guards {
                for (results, found) in of_guards.iter_mut().zip(guard_results(guard, &edited, matrices)?) {
                    results.push(found);
                }
            }
            for (candidate, guards) in group.iter().zip(of_guards) {
                let text = texts.next();
                report(Cost {
                    split: self.split,
                    interventions: (*candidate).clone(),
                    first_token_kl: text.as_ref().map_or(0.0, |text| text.first_token_kl),
                    text: text.map_or_else(Vec::new, |text| text.passages),
                    saved_weights: saved_weights(self.config, candidate),
                    guards,
                })?;
                progress.advance(1);
                progress.go_on()?;
            }
            progress.pause()?;
        }
        Ok(())
    }
}

/// What each of `edited` gives on a guard task.
fn guard_results<B: Backend>(
    guard: &mut Evaluator<B>,
    edited: &[Model<B>],
    matrices: usize,
) -> Result<Vec<GuardResult>> {
    let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::new(); edited.len()];
    for chunk in 0..guard.chunks() {
        let together = guard.together(chunk, matrices);
        for (edited, outcomes) in edited.chunks(together).zip(outcomes.chunks_mut(together)) {
            let responses = guard.evaluate_together(chunk, edited, Detail::Outcome)?;
            for (outcomes, responses) in outcomes.iter_mut().zip(responses) {
                outcomes.extend(responses.iter().map(|response| response.outcome));
            }
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
