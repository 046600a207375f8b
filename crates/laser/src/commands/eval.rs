//! `laser eval`: a model's score on a task.

use crate::cli::{EvalOptions, Global};
use crate::progress::Bar;
use crate::{output, subject};
use laser_search::{Detail, Editor, Evaluator, Progress, Response, statistics, write_whole};
use laser_tasks::{Example, Outcome, Score};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// Bytes for kept activations. Each example is seen once, so this only sets how often progress shows.
const MEMORY: usize = 1 << 28;

#[derive(Serialize)]
struct Evaluation {
    model: String,
    task: String,
    interventions: laser_search::Candidate,
    #[serde(flatten)]
    score: Score,
    accuracy_interval: statistics::Interval,
}

pub fn run(options: &EvalOptions, global: &Global) -> anyhow::Result<()> {
    if let Some(path) = &options.examples {
        let free = options.force || !path.exists();
        anyhow::ensure!(free, "{}: the file exists: choose another name, or add --force", path.display());
    }
    let progress = Bar::new(global.quiet);
    let task = subject::open_task(&options.task)?;
    let indices = subject::chosen(&task, &options.task, options.split)?;
    let examples: Vec<&Example> = indices.iter().map(|&index| &task.examples[index]).collect();
    let loaded = subject::Loaded::open(&options.model, options.task.chat, &progress)?;
    let layers = loaded.model.config().layers;
    let candidate = subject::candidate(&options.reduce, loaded.model.config())?;

    let mut evaluator = Evaluator::new(&loaded.model, &loaded.tokenizer, examples.clone(), MEMORY)?;
    let edited = Editor::new(&loaded.checkpoint, &loaded.model).edit(&candidate)?;
    let detail = if options.examples.is_some() { Detail::Full } else { Detail::Outcome };
    let mut responses: Vec<Response> = Vec::with_capacity(examples.len());
    progress.start("evaluating", examples.len(), 0);
    for chunk in 0..evaluator.chunks() {
        let finished = evaluator.evaluate_chunk(chunk, &edited, candidate.boundary(layers), detail)?;
        progress.advance(finished.len());
        responses.extend(finished);
    }
    progress.finish();

    if let Some(path) = &options.examples {
        write_examples(path, &examples, &responses, &loaded)?;
    }
    let outcomes: Vec<Outcome> = responses.iter().map(|response| response.outcome).collect();
    let score = Score::of(&outcomes);
    let right = outcomes.iter().filter(|outcome| outcome.correct).count();
    let evaluation = Evaluation {
        model: options.model.checkpoint.model.display().to_string(),
        task: task.name.clone(),
        interventions: candidate,
        score,
        accuracy_interval: statistics::wilson(right, score.n),
    };
    if global.json {
        return output::print_json(&evaluation);
    }
    let interval = evaluation.accuracy_interval;
    output::print(&format!(
        "{} on {}: accuracy {:.1} % (95 % {:.1} to {:.1}), log-loss {:.4} nats a token, {} examples\n",
        evaluation.interventions,
        evaluation.task,
        100.0 * score.accuracy,
        100.0 * interval.low,
        100.0 * interval.high,
        score.log_loss,
        score.n
    ))
}

/// One JSON line an example, through a temporary file.
fn write_examples(
    path: &Path,
    examples: &[&Example],
    responses: &[Response],
    loaded: &subject::Loaded,
) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for (example, response) in examples.iter().zip(responses) {
        let mut line = json!({
            "id": example.id,
            "prompt": loaded.tokenizer.rendered(&example.prompt)?,
            "answer": example.answer(),
            "answer_tokens": response.outcome.answer_tokens,
            "answer_logprob": response.outcome.answer_logprob,
            "correct": response.outcome.correct,
        });
        if let Some(ids) = &response.generated {
            line["generation"] = Value::from(loaded.tokenizer.decode(ids)?);
        }
        if let Some(logprobs) = &response.choice_logprobs {
            line["choice_logprobs"] = json!(logprobs);
        }
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    Ok(write_whole(path, &lines)?)
}
