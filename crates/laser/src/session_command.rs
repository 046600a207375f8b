//! What the program's commands do, for a caller that holds a session: the same arguments, the same JSON.

use crate::cli::{Cli, Command, ModelOptions};
use crate::commands::{apply, chat, eval, search};
use crate::edited_output::{OutputPlan, write_edited};
use crate::output;
use crate::recipe_file::read_recipe;
use crate::session::{Session, SessionOptions};
use clap::{CommandFactory, Parser};
use laser_checkpoint::Checkpoint;
use laser_edit::InterventionSpec;
use laser_engine::Request;
use laser_example::Score;
use laser_report::{ReadRun, verdict_file};
use laser_run::{Entry, Progress, RunFolder};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

/// Why a command gave nothing, in the line that the program prints, without its `error: `.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct CommandError(String);

/// The results of a search are not those of a dry run.
pub(crate) const NO_DRY_RUN: &str = "--dry-run: only the program tells what a search takes: laser search --dry-run";

/// How a session is opened.
#[derive(Debug, Parser)]
#[command(name = "laser")]
struct OpenOptions {
    #[command(flatten)]
    model: ModelOptions,
    #[arg(long)]
    chat: bool,
}

/// The verdict on the finished search in the RUN folder `run`, as `laser verdict --json` prints it.
///
/// # Errors
/// If the folder holds no finished search.
pub fn verdict_document(run: &Path) -> Result<Value, CommandError> {
    let judged = Session::judge(run).map_err(failed)?;
    Ok(json!(verdict_file(&judged.verdict)))
}

/// What was scored in the RUN folder `run` so far: each candidate's edits, split, number of examples, accuracy and log-loss.
///
/// # Errors
/// If the folder holds no search.
pub fn scored_candidates(run: &Path) -> Result<Value, CommandError> {
    let entries = RunFolder::open(run).and_then(|folder| folder.entries()).map_err(failed)?;
    let row = |entry: &Entry| {
        let Score { n, accuracy, log_loss } = entry.score;
        let part = entry.part.map(|part| [part.start, part.end]);
        json!({
            "edits": entry.interventions.to_string(), "split": entry.split, "part": part,
            "n": n, "accuracy": accuracy, "log_loss": log_loss,
        })
    };
    Ok(entries.all().iter().map(row).collect())
}

/// The verdict, the figures before and after, and the heat map of the search in the RUN folder `run`: a page for a notebook.
///
/// # Errors
/// If the folder holds no search.
pub fn summary_page(run: &Path) -> Result<String, CommandError> {
    Ok(ReadRun::open(&RunFolder::open(run).map_err(failed)?).data.summary_page())
}

/// Writes the model in the Hugging Face folder `model`, which need not have a tokenizer, with edits such as `27.fc_in:0.01`, to
/// the folder `out`.
///
/// # Errors
/// If an edit does not fit the model, or the folder cannot be written.
pub fn write_weights(model: &Path, edits: &[String], out: &Path) -> Result<(), CommandError> {
    let checkpoint = Checkpoint::open(model).map_err(failed)?;
    let specs = edits.iter().map(|text| text.parse()).collect::<Result<Vec<InterventionSpec>, _>>().map_err(failed)?;
    let edits = InterventionSpec::expand_all(&specs, checkpoint.config()).map_err(failed)?;
    write_edited(&checkpoint, &edits, out, &OutputPlan::default()).map(drop).map_err(failed)
}

impl Session {
    /// Opens a model as the program's arguments say it: `MODEL --device cuda`.
    ///
    /// # Errors
    /// If an argument is wrong, or the model cannot be fetched, read or loaded.
    pub fn open_by(arguments: &[String], progress: Arc<dyn Progress>) -> Result<Self, CommandError> {
        let named = std::iter::once("laser").chain(arguments.iter().map(String::as_str));
        let OpenOptions { model, chat } = OpenOptions::try_parse_from(named).map_err(|error| usage(&error, &[]))?;
        let how = SessionOptions { device: model.device, chat, progress };
        Self::open_with(model.checkpoint.source(), how).map_err(failed)
    }

    /// The answers of the model, edited, to requests; both are JSON.
    ///
    /// # Errors
    /// If they are no requests, an edit does not fit, or the model cannot be run.
    pub fn ask_json(&self, edits: &[String], requests: &str) -> Result<String, CommandError> {
        let requests: Vec<Request> = serde_json::from_str(requests).map_err(failed)?;
        let edited = self.edit(&self.edits(edits).map_err(failed)?).map_err(failed)?;
        serde_json::to_string(&self.ask(&edited, &requests).map_err(failed)?).map_err(failed)
    }

    /// The edits of a recipe, as `27.fc_in:0.01`.
    ///
    /// # Errors
    /// If it is not a recipe for this model.
    pub fn recipe(&self, path: &Path) -> Result<Vec<String>, CommandError> {
        let found = read_recipe(path, &self.checkpoint, self.calibration_file()).map_err(failed)?;
        Ok(found.edits.interventions().iter().map(ToString::to_string).collect())
    }

    /// Does what `search`, `eval`, `apply` or `chat` do with these arguments, of which the model is left out, and gives what
    /// they print with `--json`. Of `eval`, `examples` is what each example gave.
    ///
    /// # Errors
    /// If an argument is wrong, or the command fails.
    pub fn command(&self, arguments: &[String]) -> Result<Value, CommandError> {
        let Some((name, rest)) = arguments.split_first() else {
            return Err(CommandError("no command was given: give search, eval, apply or chat".to_owned()));
        };
        let model = self.source.location.clone().into_os_string();
        let words = ["laser".into(), name.into()].into_iter().chain(rest.iter().map(OsString::from));
        // The model stands at the end, behind what no option takes.
        let words = words.chain(["--".into(), model]);
        let name = OsString::from(name);
        let cli = Cli::try_parse_from(words).map_err(|error| usage(&error, std::slice::from_ref(&name)))?;
        if cli.global.threads.is_some() {
            return Err(CommandError("--threads: set RAYON_NUM_THREADS before a session is opened".to_owned()));
        }
        self.run(&cli.command).map_err(failed)
    }

    fn run(&self, command: &Command) -> anyhow::Result<Value> {
        let progress = &*self.options.progress;
        match command {
            Command::Search(options) if options.shard.is_some() => {
                Err(output::Usage("--shard: a shard is searched by the program: laser search".into()).into())
            }
            Command::Search(options) if options.engine.size().is_some() => {
                let why = "--engine: workers open the model themselves: laser search, or laser_rank.ray.search";
                Err(output::Usage(why.into()).into())
            }
            Command::Search(options) if options.dry_run => Err(output::Usage(NO_DRY_RUN.into()).into()),
            Command::Search(options) => {
                self.check_chat(options.task.chat)?;
                let source = options.source()?;
                let plan = options.space.plan(options.costs.plan(&options.text, &source))?;
                let found = self.search(&self.task(&source)?, &plan, &options.out)?;
                Ok(json!(search::document(&options.out, &found)))
            }
            Command::Eval(options) if options.examples.is_some() => {
                Err(output::Usage("--examples: what each example gave is in the result".into()).into())
            }
            Command::Eval(options) => {
                self.check_chat(options.task.chat)?;
                let source = (!options.task.task.is_empty()).then(|| options.task.source()).transpose()?;
                let task = source.as_ref().map(|source| source.read(progress)).transpose()?;
                let (evaluated, lines) = eval::evaluate(options, self, source.zip(task), eval::Lines::Plain)?;
                let mut document = json!(evaluated);
                document["examples"] = lines.into();
                Ok(document)
            }
            Command::Apply(options) => {
                let (_, output) = apply::written(options, &self.checkpoint, progress)?;
                Ok(json!(apply::document(options, &output)))
            }
            Command::Chat(options) => match &options.prompt {
                Some(prompt) => chat::answered(options, self, prompt),
                None => Err(output::Usage("there is nothing to answer: give a --prompt".into()).into()),
            },
            _ => {
                Err(output::Usage("this is not done with an open model: use search, eval, apply or chat".into()).into())
            }
        }
    }

    /// Refuses a chat where the model was opened for none.
    fn check_chat(&self, asked: bool) -> anyhow::Result<()> {
        match asked && !self.options.chat {
            true => Err(output::Usage("--chat: the model was opened without it: open it with --chat".into()).into()),
            false => Ok(()),
        }
    }
}

pub(crate) fn usage(error: &clap::Error, typed: &[OsString]) -> CommandError {
    CommandError(output::usage_line(error, &Cli::command(), typed))
}

pub(crate) fn failed(error: impl Into<anyhow::Error>) -> CommandError {
    let line = output::error_line(&error.into());
    CommandError(line.strip_prefix("error: ").map(str::to_owned).unwrap_or(line))
}
