//! `laser eval`: a model's score on a task.

use crate::bar::Bar;
use crate::cli::{EvalOptions, Global};
use crate::{output, subject};
use laser_edit::Candidate;
use laser_engine::{Corpus, Detail, Editor, Evaluator, Response, record};
use laser_model::Model;
use laser_report::metrics_text;
use laser_run::{Constant, Metrics, Perplexity, Progress, Record, statistics, write_whole};
use laser_tasks::{Example, Outcome, Score, Target, Task};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Bytes for kept activations. Each example is seen once, so this only sets how often progress shows.
const MEMORY: usize = 1 << 28;

#[derive(Serialize)]
struct Evaluation {
    model: String,
    interventions: Candidate,
    #[serde(flatten)]
    task: Option<TaskScore>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Perplexity>,
}

#[derive(Serialize)]
struct TaskScore {
    task: String,
    #[serde(flatten)]
    score: Score,
    accuracy_interval: statistics::Interval,
    /// The answer that is right most often.
    majority: Option<Constant>,
    #[serde(flatten)]
    metrics: Option<Metrics>,
}

pub fn run(options: &EvalOptions, global: &Global) -> anyhow::Result<()> {
    if let Some(path) = &options.examples {
        let free = options.force || !path.exists();
        anyhow::ensure!(free, "{}: the file exists: choose another name, or add --force", path.display());
    }
    let progress = Bar::new(global.quiet);
    let task = options.task.task.as_ref().map(|_| subject::open_task(&options.task, &progress)).transpose()?;
    let loaded = subject::Loaded::open(&options.model, options.task.chat, &progress)?;
    let candidate = subject::candidate(&options.reduce, loaded.model.config())?;
    let text = subject::open_text(&options.text, usize::MAX, &loaded)?;
    let edited = Editor::new(&loaded.checkpoint, &loaded.model).edit(&candidate)?;
    let evaluation = Evaluation {
        model: options.model.checkpoint.model.display().to_string(),
        task: task.map(|task| score(&task, options, &loaded, &edited, &candidate, &progress)).transpose()?,
        text: text.map(|text| perplexity(&text.text, &edited, &progress)).transpose()?,
        interventions: candidate,
    };
    if global.json {
        return output::print_json(&evaluation);
    }
    output::print(&evaluation.text())
}

/// Scores the examples that were asked for.
fn score(
    task: &Task,
    options: &EvalOptions,
    loaded: &subject::Loaded,
    edited: &Model,
    candidate: &Candidate,
    progress: &Bar,
) -> anyhow::Result<TaskScore> {
    let task = subject::settle(task, &options.task, &loaded.tokenizer)?;
    let indices = subject::chosen(&task, &options.task, options.split)?;
    let examples: Vec<&Example> = indices.iter().map(|&index| &task.examples[index]).collect();
    let boundary = candidate.first_edited_layer(loaded.model.config().layers);
    let mut evaluator = Evaluator::new(&loaded.model, &loaded.tokenizer, examples.clone(), MEMORY)?;
    let mut responses: Vec<Response> = Vec::with_capacity(examples.len());
    progress.start("evaluating", examples.len(), 0);
    for chunk in 0..evaluator.chunks() {
        let finished = evaluator.evaluate_chunk(chunk, edited, boundary, Detail::Full)?;
        progress.advance(finished.len());
        responses.extend(finished);
    }
    progress.finish();

    let outcomes: Vec<Outcome> = responses.iter().map(|response| response.outcome).collect();
    let mut records = Vec::with_capacity(responses.len());
    for (example, response) in examples.iter().zip(&responses) {
        records.push(record(example, response, &loaded.tokenizer)?);
    }
    if let Some(path) = &options.examples {
        write_examples(path, &examples, &responses, &records, loaded)?;
    }
    let score = Score::of(&outcomes);
    let right = outcomes.iter().filter(|outcome| outcome.correct).count();
    Ok(TaskScore {
        task: task.name.clone(),
        score,
        accuracy_interval: statistics::wilson(right, score.n),
        majority: Constant::most_frequent(&examples),
        metrics: Metrics::of(&examples, &records),
    })
}

fn perplexity(text: &Corpus, edited: &Model, progress: &Bar) -> anyhow::Result<Perplexity> {
    progress.start("text", text.windows(), 0);
    let perplexity = text.perplexity(edited, &|| progress.advance(1))?;
    progress.finish();
    Ok(perplexity)
}

impl Evaluation {
    /// What a person reads.
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(task) = &self.task {
            let (score, interval) = (task.score, task.accuracy_interval);
            let _ = writeln!(
                text,
                "{} on {}: accuracy {:.1} % (95 % {:.1} to {:.1}), log-loss {:.4} nats a token, {} examples",
                self.interventions,
                task.task,
                100.0 * score.accuracy,
                100.0 * interval.low,
                100.0 * interval.high,
                score.log_loss,
                score.n
            );
            if let Some(majority) = &task.majority {
                let _ = writeln!(text, "always {:?}: {:.1} %", majority.answer, 100.0 * majority.accuracy);
            }
            text.push_str(&task.metrics.as_ref().map(metrics_text).unwrap_or_default());
        }
        if let Some(perplexity) = self.text {
            let _ = writeln!(
                text,
                "{}: perplexity {:.3} over {} tokens of the text",
                self.interventions, perplexity.perplexity, perplexity.tokens
            );
        }
        text
    }
}

/// One JSON line an example, through a temporary file.
fn write_examples(
    path: &Path,
    examples: &[&Example],
    responses: &[Response],
    records: &[Record],
    loaded: &subject::Loaded,
) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for ((example, response), record) in examples.iter().zip(responses).zip(records) {
        let mut line = json!({
            "id": example.id,
            "group": example.group,
            "prompt": loaded.tokenizer.rendered(&example.prompt)?,
            "answer": example.answer(),
            "answer_tokens": response.outcome.answer_tokens,
            "answer_logprob": response.outcome.answer_logprob,
            "answer_rank": response.answer_rank,
            "correct": response.outcome.correct,
        });
        if let Some(generation) = &record.generation {
            line["generation"] = json!(generation);
        }
        match &example.target {
            Target::Generate(target) if target.answers.len() > 1 => line["answers"] = json!(target.answers),
            Target::Choose(choice) => {
                line["choices"] = json!(choice.choices);
                line["choice_logprobs"] = json!(response.choice_logprobs);
            }
            _ => {}
        }
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    Ok(write_whole(path, &lines)?)
}
