//! What a model gives on examples, as it is or edited.

use crate::error::{Error, Result};
use crate::evaluated_example::EvaluatedExample;
use crate::loaded_model::LoadedModel;
use crate::made_task::Judging;
use crate::session::Session;
use crate::subtask_scores::{GroupScore, SubtaskScore, group_scores, subtask_metrics, subtask_scores};
use crate::task_source::OpenTask;
use crate::text_source::OpenText;
use laser_edit::Candidate;
use laser_engine::{Answer, Asked, JudgedExamples, QuestionScore, Request, judged_results, record};
use laser_example::{Example, Outcome, Score, ScoredExample, Target};
use laser_run::{
    Constant, ExampleResult, Interval, Metrics, Perplexity, PerplexityChange, Record, ScorerError, Stopped,
    group_numbers, statistics,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Resamples of the interval of a mean result.
const RESAMPLES: usize = 2_000;

/// A model's score on some examples of a task.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Evaluation {
    /// The task's name.
    pub task: String,
    /// Accuracy and log-loss.
    #[serde(flatten)]
    pub score: Score,
    /// The accuracy's 95 % interval (Wilson), with the number of examples over their design effect
    /// where they come in groups.
    pub accuracy_interval: Interval,
    /// The answer that is right most often.
    pub majority: Option<Constant>,
    /// Other metrics.
    #[serde(flatten)]
    pub metrics: Option<Metrics>,
    /// How many prompts were cut at their beginning to fit the model.
    pub cut_prompts: usize,
    /// How many rows of the task were left out because they cannot be used, or are too long.
    pub skipped_rows: usize,
    /// Where the task is a group: each of its tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subtasks: Vec<SubtaskScore>,
    /// Where the task is a group: what its file aggregates over them, and the groups in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupScore>,
    /// What the task's file asks for, under the names of lm-evaluation-harness (`acc,none`).
    #[serde(rename = "metrics", skip_serializing_if = "BTreeMap::is_empty")]
    pub task_metrics: BTreeMap<String, f64>,
    /// What each example gave.
    #[serde(skip)]
    pub examples: Vec<EvaluatedExample>,
}

/// A model with edits, in memory. What no edit touches is the session's.
#[derive(Debug)]
pub struct Edited {
    pub(crate) model: Box<dyn LoadedModel>,
}

impl Session {
    /// Edits the model in memory.
    ///
    /// # Errors
    /// If an edit does not fit the model, or a matrix cannot be decomposed.
    pub fn edit(&self, edits: &Candidate) -> Result<Edited> {
        let calibration = self.calibration(edits.interventions())?;
        let text = calibration.as_ref().map(|calibration| &calibration.half);
        Ok(Edited { model: self.model.edit(&self.checkpoint, edits, text)? })
    }

    /// Scores an edited model on the examples of `task` with these numbers.
    ///
    /// # Errors
    /// If an example does not fit the model, or the model computes infinities.
    pub fn evaluate(&self, edited: &Edited, task: &OpenTask, numbers: &[usize]) -> Result<Evaluation> {
        let examples = task.pick(numbers);
        if let Some(judging) = &task.judging {
            return self.evaluate_judged(edited, task, judging, numbers);
        }
        let responses = edited.model.evaluate(&self.tokenizer, examples.clone(), &*self.options.progress)?;
        let outcomes: Vec<Outcome> = responses.iter().map(|response| response.outcome).collect();
        let records = examples.iter().zip(&responses).map(|(example, it)| record(example, it, &self.tokenizer));
        let records = records.collect::<laser_engine::Result<Vec<Record>>>()?;
        let score = Score::of(&outcomes);
        let alone = self.alone(edited, task, numbers, &examples)?;
        let given = examples.iter().zip(&outcomes).zip(&records).zip(&responses).enumerate();
        let given = given.map(|(number, (((example, outcome), record), response))| ScoredExample {
            example,
            outcome,
            generation: record.generation.as_deref(),
            choice_logprobs: record.choice_logprobs.as_deref(),
            choice_greedy: response.choice_greedy.as_deref(),
            alone_logprobs: alone.get(number).map(Vec::as_slice),
        });
        let given: Vec<ScoredExample> = given.collect();
        let measured = task.task.metrics.of(&given)?;
        let of_subtasks = subtask_metrics(&task.task, numbers, &given)?;
        let missing: BTreeSet<_> = of_subtasks.iter().chain([&measured]).flat_map(|it| &it.missing).collect();
        for (name, why) in missing {
            self.options.progress.note(&format!("{}: metric `{name}` is not computed: {why}", task.task.name));
        }
        let hits: Vec<bool> = outcomes.iter().map(|outcome| outcome.correct).collect();
        let accuracy_interval = statistics::wilson_of_groups(&hits, &group_numbers(&examples));
        let (majority, metrics) = (Constant::most_frequent(&examples), Metrics::of(&examples, &records));
        let examples: Vec<EvaluatedExample> = examples
            .into_iter()
            .zip(outcomes)
            .zip(records)
            .map(|((example, outcome), record)| EvaluatedExample {
                example: example.clone(),
                outcome,
                value: None,
                record,
            })
            .collect();
        let subtasks = subtask_scores(&task.task, numbers, &examples, of_subtasks);
        Ok(Evaluation {
            task: task.task.name.clone(),
            score,
            accuracy_interval,
            majority,
            metrics,
            task_metrics: measured.values.into_iter().collect(),
            cut_prompts: numbers.iter().filter(|number| task.cut.binary_search(number).is_ok()).count(),
            skipped_rows: task.skipped_rows,
            groups: group_scores(&task.task.groups, &subtasks),
            subtasks,
            examples,
        })
    }

    /// The answers of an edited model to `requests`.
    ///
    /// # Errors
    /// If a text is empty, or the model cannot be run.
    pub fn ask(&self, edited: &Edited, requests: &[Request]) -> Result<Vec<Answer>> {
        let asked = Asked::new(requests)?;
        let responses =
            edited.model.evaluate(&self.tokenizer, asked.examples.iter().collect(), &*self.options.progress)?;
        Ok(asked.answers(&responses, &self.tokenizer)?)
    }

    /// Has an edited model asked, and its answers judged.
    fn evaluate_judged(
        &self,
        edited: &Edited,
        task: &OpenTask,
        judging: &Judging,
        numbers: &[usize],
    ) -> Result<Evaluation> {
        let examples = task.pick(numbers);
        let asked = judging.asked(&examples)?;
        let judged = JudgedExamples { examples: &examples, asked: &asked };
        let responses = edited.model.evaluate(&self.tokenizer, judged.scored(), &*self.options.progress)?;
        let progress = &*self.options.progress;
        let results = judged_results(judged, &responses, &self.tokenizer, &*judging.judge, judging.kind, progress);
        let failed = |why: ScorerError| match why.downcast::<Stopped>() {
            Ok(stopped) => laser_engine::Error::from(*stopped).into(),
            Err(why) => Error::Judge { task: task.task.name.clone(), why: why.to_string() },
        };
        let results = results.map_err(failed)?;
        let n = results.len() as f64;
        let sum = |value: &dyn Fn(&ExampleResult) -> f64| results.iter().map(value).sum::<f64>();
        let score = Score { n: results.len(), accuracy: sum(&|it| it.value) / n, log_loss: sum(&|it| it.log_loss) / n };
        let values: Vec<f64> = results.iter().map(|result| result.value).collect();
        let clusters = group_numbers(&examples);
        let accuracy_interval = if judging.kind.is_binary() {
            statistics::wilson_of_groups(&values.iter().map(|&value| value == 1.0).collect::<Vec<_>>(), &clusters)
        } else {
            statistics::paired_bootstrap(&values, &clusters, RESAMPLES, task.source.seed)
                .unwrap_or(Interval { low: score.accuracy, high: score.accuracy })
        };
        let majority = judging.kind.is_binary().then(|| Constant::most_frequent(&examples)).flatten();
        let evaluated = |(example, result): (&Example, ExampleResult)| EvaluatedExample {
            example: example.clone(),
            outcome: Outcome { correct: result.is_right(), answer_logprob: -result.log_loss, answer_tokens: 1 },
            value: Some(result.value),
            record: result.record.unwrap_or_default(),
        };
        Ok(Evaluation {
            task: task.task.name.clone(),
            score,
            accuracy_interval,
            majority,
            metrics: None,
            cut_prompts: numbers.iter().filter(|number| task.cut.binary_search(number).is_ok()).count(),
            skipped_rows: task.skipped_rows,
            subtasks: Vec::new(),
            groups: Vec::new(),
            task_metrics: BTreeMap::new(),
            examples: examples.into_iter().zip(results).map(evaluated).collect(),
        })
    }

    /// What an edited model makes of the questions of `examples` before it answers: the ten most
    /// likely next tokens, and the question's own log-probability. None where there is no next
    /// token: of masked models, and of whole texts.
    ///
    /// # Errors
    /// If an example does not fit the model.
    pub fn question_scores(&self, edited: &Edited, examples: &[&Example]) -> Result<Vec<Option<QuestionScore>>> {
        edited.model.question_scores(&self.tokenizer, examples, &*self.options.progress)
    }

    /// The log-probabilities of each example's choices after nothing, which is no chat, where a metric asks for them.
    fn alone(
        &self,
        edited: &Edited,
        task: &OpenTask,
        numbers: &[usize],
        examples: &[&Example],
    ) -> Result<Vec<Vec<f64>>> {
        let task = &task.task;
        let asking = task.subtasks.iter().filter(|subtask| subtask.metrics.need_alone());
        let asking: Vec<_> = asking.map(|subtask| subtask.examples.clone()).collect();
        let needs = |number: &usize| task.metrics.need_alone() || asking.iter().any(|subtask| subtask.contains(number));
        let places: Vec<usize> = (0..examples.len()).filter(|&place| needs(&numbers[place])).collect();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let in_chat = self.tokenizer.is_in_chat();
        let alone = |example: &&Example| {
            let mut alone = Example { prompt: String::new(), turns: Vec::new(), ..(*example).clone() };
            if in_chat && !alone.delimits_in_chat {
                alone.delimiter.clear();
            }
            if let Target::Choose(choice) = &mut alone.target {
                choice.ending = None;
            }
            alone
        };
        let alone: Vec<Example> = places.iter().map(|&place| alone(&examples[place])).collect();
        let tokenizer = self.tokenizer.clone().outside_chat();
        let responses = edited.model.evaluate(&tokenizer, alone.iter().collect(), &*self.options.progress)?;
        let mut all = vec![Vec::new(); examples.len()];
        for (place, response) in places.into_iter().zip(responses) {
            all[place] = response.choice_logprobs.unwrap_or_default();
        }
        Ok(all)
    }

    /// The perplexity of `text` for an edited model.
    ///
    /// # Errors
    /// If the model computes infinities.
    pub fn perplexity(&self, edited: &Edited, text: &OpenText) -> Result<Perplexity> {
        edited.model.perplexity(&text.corpus, &*self.options.progress)
    }

    /// The perplexity of `text` for the model as it is and edited.
    ///
    /// # Errors
    /// If an edit does not fit the model, or the model computes infinities.
    pub fn perplexity_change(&self, edits: &Candidate, text: &OpenText) -> Result<PerplexityChange> {
        let measured = |edits: &Candidate| self.perplexity(&self.edit(edits)?, text);
        let (base, edited) = (measured(&Candidate::base())?, measured(edits)?);
        Ok(PerplexityChange::new(&text.sha256, text.corpus.how(), &base, &edited, 0))
    }
}
