//! A search whose candidates workers score: its driver, and what each worker does.

use crate::cli::{Cli, Command, SearchOptions};
use crate::commands::search::document;
use crate::elsewhere::Elsewhere;
use crate::error::{Error, Result};
use crate::model_source::ModelSource;
use crate::output::Usage;
use crate::session::{Session, SessionOptions};
use crate::session_command::{CommandError, NO_DRY_RUN, failed, usage};
use clap::Parser;
use laser_fleet::{Fleet, answer};
use laser_run::{Progress, RunFolder, Silent};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The search of the program's arguments, of which the first is `search`.
fn asked(words: &[String]) -> Result<Box<SearchOptions>, CommandError> {
    let typed = std::iter::once("laser").chain(words.iter().map(String::as_str));
    let cli =
        Cli::try_parse_from(typed).map_err(|error| usage(&error, words.first().map(OsString::from).as_slice()))?;
    match cli.command {
        Command::Search(options) if options.dry_run => Err(failed(Usage(NO_DRY_RUN.into()))),
        Command::Search(options) if options.shard.is_none() => Ok(options),
        _ => Err(failed(Usage("a fleet does a whole search: laser search MODEL --task TASK --out RUN".into()))),
    }
}

/// Runs the search of the program's arguments, of which the first is `search`, or resumes it; `fleet` scores. Gives what the
/// program prints with `--json`.
///
/// # Errors
/// If an argument is wrong, the fleet's workers have opened another search, or it fails.
pub fn search_on(words: &[String], fleet: Arc<dyn Fleet>, progress: Arc<dyn Progress>) -> Result<Value, CommandError> {
    let options = asked(words)?;
    let search = || -> anyhow::Result<Value> {
        let source = options.source()?;
        let plan = options.space.plan(options.costs.plan(&options.text, &source))?;
        let task = source.read(&*progress)?;
        let how = options.session(progress.clone());
        let session = Session::open_elsewhere(options.model.checkpoint.source(), how, fleet, &options.out)?;
        let found = session.search(&session.settle(&task, &source)?, &plan, &options.out)?;
        Ok(json!(document(&options.out, &found)))
    };
    search().map_err(failed)
}

impl Session {
    /// Opens a model that workers have loaded, for the search in `run` that they have opened. Nothing else can be done with it.
    /// Where the search has been begun, its kernels are what the workers must have.
    ///
    /// # Errors
    /// If there are no workers, another search is running in `run`, or the model cannot be read.
    pub fn open_elsewhere(
        source: ModelSource,
        mut options: SessionOptions,
        fleet: Arc<dyn Fleet>,
        run: &Path,
    ) -> Result<Self> {
        let begun = RunFolder::open(run).ok();
        if begun.as_ref().is_some_and(RunFolder::is_running) {
            return Err(laser_run::Error::Busy { path: run.to_owned() }.into());
        }
        let kernels = begun.and_then(|run| run.description().ok()?.search.kernel_path);
        let opened = loop {
            options.progress.go_on().map_err(laser_engine::Error::from)?;
            let opened = fleet.opened(kernels.as_deref()).map_err(|why| Error::Fleet { why: why.to_string() })?;
            if let Some(opened) = opened {
                break opened;
            }
        };
        options.device = opened.search.device.parse().map_err(|why| Error::Fleet { why })?;
        Self::open_loaded(source, options, |_, _| Ok(Box::new(Elsewhere { fleet, opened })))
    }
}

/// A job, and who waits for the answer.
type Asked = (String, Sender<Result<String, CommandError>>);

/// What scores for a driver that is another process: a model in memory, and a search that has been opened.
#[derive(Debug)]
pub struct Worker {
    opened: String,
    jobs: Mutex<Sender<Asked>>,
}

impl Worker {
    /// Opens the search of the program's arguments, of which the first is `search`. Its RUN folder is not looked at.
    ///
    /// # Errors
    /// If an argument is wrong, or the model or the task cannot be opened.
    pub fn open(words: Vec<String>) -> Result<Self, CommandError> {
        let (jobs, asked) = channel();
        let (opened, is_open) = channel();
        let work = move || {
            if let Err(error) = serve(&words, &opened, &asked) {
                let _ = opened.send(Err(error));
            }
        };
        // As deep as the program's own stack.
        let started = thread::Builder::new().name("worker".to_owned()).stack_size(1 << 23).spawn(work);
        started.map_err(failed)?;
        Ok(Self { opened: is_open.recv().unwrap_or_else(|_| Err(ended()))?, jobs: Mutex::new(jobs) })
    }

    /// The search that is open, as `run.json` describes it.
    pub fn opened(&self) -> &str {
        &self.opened
    }

    /// Does a job, and gives its answer.
    ///
    /// # Errors
    /// If it cannot be done.
    pub fn work(&self, job: &str) -> Result<String, CommandError> {
        let (reply, answer) = channel();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.send((job.to_owned(), reply)).map_err(|_| ended())?;
        drop(jobs);
        answer.recv().unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> CommandError {
    failed(anyhow::anyhow!("the worker has ended: this is a bug of laser: what it printed says where"))
}

/// Opens a search, and answers what is asked until nobody can ask.
fn serve(
    words: &[String],
    opened: &Sender<Result<String, CommandError>>,
    asked_for: &Receiver<Asked>,
) -> Result<(), CommandError> {
    let options = asked(words)?;
    let serve = || -> anyhow::Result<()> {
        let source = options.source()?;
        let plan = options.space.plan(options.costs.plan(&options.text, &source))?;
        let task = source.read(&Silent)?;
        let session = Session::open_with(options.model.checkpoint.source(), options.session(Arc::new(Silent)))?;
        let task = session.settle(&task, &source)?;
        session.serve(&task, &plan, &mut |description, scorer| {
            let _ = opened.send(serde_json::to_string(description).map_err(failed));
            for (ask, reply) in asked_for {
                let done = answer(scorer, &ask, &Silent);
                // Who no longer waits need not hear.
                let _ = reply.send(done.map_err(|error| failed(anyhow::anyhow!(error))));
            }
            Ok(())
        })?;
        Ok(())
    };
    serve().map_err(failed)
}
