//! `laser eval`: a model's score on a task.

use crate::bar::Bar;
use crate::cli::{EvalOptions, Global, SplitChoice, named_task};
use crate::output;
use crate::output_place::OutputFile;
use laser::engine::QuestionScore;
use laser::{EvaluatedExample, Evaluation, OpenTask, ReadTask, Session, SessionOptions, TaskSource};
use laser_edit::{Candidate, InterventionSpec};
use laser_example::{Example, Target};
use laser_report::metrics_text;
use laser_run::Perplexity;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model's score, as the program prints it.
#[derive(Serialize, JsonSchema)]
pub struct Evaluated {
    /// The model, as it was named.
    model: String,
    /// The edits.
    interventions: Candidate,
    #[serde(flatten)]
    task: Option<Evaluation>,
    /// The perplexity of `--text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Perplexity>,
}

pub fn run(options: &EvalOptions, global: &Global) -> anyhow::Result<()> {
    let examples = options.examples.as_ref().map(|path| OutputFile::new(path, options.force, &reads(options)));
    let examples = examples.transpose()?;
    let progress = Arc::new(Bar::new(global.quiet));
    let source = (!options.task.task.is_empty()).then(|| options.task.source()).transpose()?;
    // A task that cannot be read is told before a model is loaded for it.
    let task = source.as_ref().map(|source| source.read(&*progress)).transpose()?;
    let how = SessionOptions { device: options.model.device, chat: options.task.chat, progress };
    let session = Session::open_with(options.model.checkpoint.source(), how)?;
    let lines = if examples.is_some() { Lines::WithQuestions } else { Lines::None };
    let (evaluated, lines) = evaluate(options, &session, source.zip(task), lines)?;
    if let Some(file) = examples {
        write_lines(&file, &lines)?;
    }
    if global.json {
        return output::print_json(&evaluated);
    }
    output::print(&evaluated.text())
}

/// What is wanted of each example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    None,
    /// What the evaluation gave.
    Plain,
    /// And what the model makes of the question before it answers, which takes about as long again.
    WithQuestions,
}

/// Evaluates what is asked for, and gives a line for each example if they are wanted.
pub fn evaluate(
    options: &EvalOptions,
    session: &Session,
    task: Option<(TaskSource, ReadTask)>,
    wanted: Lines,
) -> anyhow::Result<(Evaluated, Vec<Value>)> {
    let edits = Candidate::new(InterventionSpec::expand_all(&options.reduce, session.config())?)?;
    let text = options.text.source(usize::MAX).map(|text| session.text(&text)).transpose()?;
    let edited = session.edit(&edits)?;
    let mut lines = Vec::new();
    let task = match task {
        Some((source, task)) => {
            let task = session.settle(&task, &source)?;
            let evaluation = session.evaluate(&edited, &task, &chosen(&task, options.split)?)?;
            if wanted != Lines::None {
                let examples: Vec<&Example> = evaluation.examples.iter().map(|it| &it.example).collect();
                let questions = match wanted {
                    Lines::WithQuestions => session.question_scores(&edited, &examples)?,
                    _ => vec![None; examples.len()],
                };
                lines = example_lines(&evaluation.examples, questions, session)?;
            }
            Some(evaluation)
        }
        None => None,
    };
    let text = text.map(|text| session.perplexity(&edited, &text)).transpose()?;
    let model = options.model.checkpoint.model.display().to_string();
    Ok((Evaluated { model, interventions: edits, task, text }, lines))
}

/// What the command line names to be read.
fn reads(options: &EvalOptions) -> Vec<PathBuf> {
    let checkpoint = &options.model.checkpoint;
    let tasks = options.task.task.iter().map(|text| named_task(text));
    let tasks = tasks.flat_map(|named| [Some(PathBuf::from(named.spec)), named.data]).flatten();
    let others = [&options.task.data.data, &options.text.text].into_iter().flatten().cloned();
    tasks.chain(others).chain(checkpoint.files()).collect()
}

/// The examples that were asked for, by number.
fn chosen(task: &OpenTask, split: SplitChoice) -> anyhow::Result<Vec<usize>> {
    Ok(match split {
        SplitChoice::All => (0..task.task.examples.len()).collect(),
        SplitChoice::Validation => task.split()?.validation,
        SplitChoice::Test => task.split()?.test,
    })
}

impl Evaluated {
    /// What a person reads.
    fn text(&self) -> String {
        let mut text = String::new();
        // Without edits it is the model as it is, which may be one that was edited before.
        let subject = match self.interventions.interventions() {
            [] => {
                Path::new(&self.model).file_name().map_or_else(|| self.model.clone(), |name| name.display().to_string())
            }
            _ => self.interventions.to_string(),
        };
        if let Some(task) = &self.task {
            let (score, interval) = (task.score, task.accuracy_interval);
            let _ = writeln!(
                text,
                "{subject} on {}: accuracy {:.1} % (95 % {:.1} to {:.1}), log-loss {:.4} nats per token, {} examples",
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
            for part in &task.subtasks {
                let (name, score) = (&part.task, part.score);
                let _ = writeln!(
                    text,
                    "  {name}: accuracy {:.1} %, log-loss {:.4}, {} examples",
                    100.0 * score.accuracy,
                    score.log_loss,
                    score.n
                );
            }
            for group in &task.groups {
                let metrics = group.metrics.iter().map(|(name, value)| format!("{name} {value:.4}"));
                let metrics = metrics.collect::<Vec<_>>().join(", ");
                let _ = writeln!(text, "{}: {metrics} over {} examples", group.group, group.n);
            }
            text.push_str(&task.metrics.as_ref().map(metrics_text).unwrap_or_default());
        }
        if let Some(perplexity) = &self.text {
            let _ = writeln!(
                text,
                "{subject}: perplexity {:.3} over {} tokens of the text",
                perplexity.perplexity, perplexity.tokens
            );
        }
        text
    }
}

/// One JSON line per example, through a temporary file.
fn write_lines(file: &OutputFile, lines: &[Value]) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    file.write(&bytes)
}

/// What each example gave.
fn example_lines(
    examples: &[EvaluatedExample],
    questions: Vec<Option<QuestionScore>>,
    session: &Session,
) -> anyhow::Result<Vec<Value>> {
    let mut lines = Vec::new();
    for (EvaluatedExample { example, outcome, value, record }, question) in examples.iter().zip(questions) {
        let mut line = json!({
            "id": example.id,
            "group": example.group,
            "prompt": session.tokenizer().rendered(laser::engine::prompt_of(example))?,
            "answer": example.answer(),
            "answer_tokens": outcome.answer_tokens,
            "answer_logprob": outcome.answer_logprob,
            "answer_rank": record.answer_rank,
            "correct": outcome.correct,
        });
        if let Some(value) = value {
            line["value"] = json!(value);
        }
        if let Some(QuestionScore { logprob, next }) = question {
            let token = |&(token, logprob): &(u32, f64)| json!({"id": token, "text": session.tokenizer().token_text(token), "logprob": logprob});
            line["question_logprob"] = json!(logprob);
            line["question_answer_logprob"] = json!(logprob + outcome.answer_logprob);
            line["next_tokens"] = json!(next.iter().map(token).collect::<Vec<_>>());
        }
        if let Some(generation) = &record.generation {
            line["generation"] = json!(generation);
        }
        match &example.target {
            Target::Generate(target) if target.answers.len() > 1 => line["answers"] = json!(target.answers),
            Target::Choose(choice) => {
                line["choices"] = json!(choice.choices);
                line["choice_logprobs"] = json!(record.choice_logprobs);
            }
            _ => {}
        }
        lines.push(line);
    }
    Ok(lines)
}
