use std::path::PathBuf;

/// Why a [`Session`](crate::Session) could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was named is not a path, and as an id of the hub it could not be fetched.
    #[error("{id}: there is no such file or folder, and as a model of the hub")]
    NoSuchModel {
        /// What was named.
        id: String,
        /// Why it could not be fetched.
        source: Box<laser_hub::HubError>,
    },
    /// The checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(Box<laser_checkpoint::CheckpointError>),
    /// The edited model could not be written.
    #[error(transparent)]
    Write(Box<laser_writers::WriteError>),
    /// An edit is malformed, or does not fit the model.
    #[error(transparent)]
    Edit(#[from] laser_edit::EditError),
    /// The tokenizer could not be read.
    #[error(transparent)]
    Tokenizer(#[from] laser_tokenizer::TokenizerError),
    /// The model could not be loaded or run.
    #[error(transparent)]
    Model(Box<laser_model::Error>),
    /// The task could not be read, or is none.
    #[error(transparent)]
    Task(Box<laser_tasks::TaskError>),
    /// A task of another language could not be made.
    #[error("{spec}: {why}")]
    NotMade {
        /// The task.
        spec: String,
        /// Why, and what to do.
        why: String,
    },
    /// Answers could not be judged.
    #[error("{task}: {why}")]
    Judge {
        /// The task.
        task: String,
        /// Why.
        why: String,
    },
    /// A task that cannot be used here because somebody else judges its answers.
    #[error("{task}: its answers are judged elsewhere, which this cannot do with them: use a task file")]
    JudgedElsewhere {
        /// The task.
        task: String,
    },
    /// A prompt is too long, and was not to be cut.
    #[error(
        "example {id}: the prompt and what follows it are {tokens} tokens longer than the model's context of {context_length}: shorten the prompt, or cut or leave out such examples (--on-long truncate|skip)"
    )]
    PromptTooLong {
        /// The example.
        id: String,
        /// By how many tokens.
        tokens: usize,
        /// Tokens that the model can look at.
        context_length: usize,
    },
    /// There is nothing that a model could continue.
    #[error("the text has no tokens: write something that can be continued")]
    NothingToContinue,
    /// A text that is to be continued has no room.
    #[error("the text would have {tokens} tokens, of which the model looks at {context_length} at most: shorten it")]
    TextTooLong {
        /// With what comes in addition.
        tokens: usize,
        /// Tokens that the model can look at.
        context_length: usize,
    },
    /// No example is short enough.
    #[error(
        "{task}: no example is left: all are longer than the model's context of {context_length} tokens: cut them with --on-long truncate"
    )]
    AllTooLong {
        /// The task.
        task: String,
        /// Tokens that the model can look at.
        context_length: usize,
    },
    /// A search of a task in which nothing is right or wrong.
    #[error(
        "{task}: nothing is right or wrong in texts that are scored by themselves (loglikelihood_rolling): score them with `laser eval`, or search by a task with answers"
    )]
    NothingRight {
        /// The task.
        task: String,
    },
    /// A generated text could not be compared with the answers.
    #[error(transparent)]
    Scoring(#[from] laser_example::ExampleError),
    /// Examples or a text could not be scored.
    #[error(transparent)]
    Engine(Box<laser_engine::Error>),
    /// A text could not be measured.
    #[error("{}", path.display())]
    Text {
        /// The text's file.
        path: PathBuf,
        /// Why.
        source: Box<laser_engine::Error>,
    },
    /// Limits on costs that cannot be measured.
    #[error("{what}: {why}")]
    NoCosts {
        /// The options.
        what: &'static str,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// A shard without a layer.
    #[error("--shard {shard}: there are only {layers} layers: ask for as many shards or fewer")]
    EmptyShard {
        /// The shard.
        shard: laser_run::Shard,
        /// How many layers the search has.
        layers: usize,
    },
    /// A shard of other layers than its part.
    #[error("{}: shard {shard} was asked for with other --layers than the others: remove it, and run it again", run.display())]
    ShardLayers {
        /// The shard.
        shard: laser_run::Shard,
        /// The RUN folder.
        run: PathBuf,
    },
    /// One task that was given twice.
    #[error("--task {task}: two tasks have this name: leave one out, or rename its file")]
    TaskTwice {
        /// The task.
        task: String,
    },
    /// A guard task that is the task itself.
    #[error("--guard {task}: this is the task that is searched on: leave it out, or give another task")]
    GuardIsTask {
        /// The task.
        task: String,
    },
    /// A text's bytes are not UTF-8.
    #[error("{}: invalid UTF-8: save the file as UTF-8", path.display())]
    TextEncoding {
        /// The text's file.
        path: PathBuf,
    },
    /// A range of layers that is not one.
    #[error("--layers {text}: {why}: write them as in 20-29")]
    Layers {
        /// The range.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// A matrix could not be decomposed.
    #[error(transparent)]
    Decomposition(#[from] laser_matrix::SvdError),
    /// The RUN folder could not be read or written.
    #[error(transparent)]
    Run(#[from] laser_run::Error),
    /// The search failed.
    #[error(transparent)]
    Search(Box<laser_search::Error>),
    /// A Decision Transformer cannot be read or played.
    #[error(transparent)]
    Decision(Box<laser_decision::Error>),
    /// There is no recipe in a RUN folder.
    #[error("{}: there is no recipe yet: the search is not finished: run the same search again", path.display())]
    NoRecipeYet {
        /// Where it would be.
        path: PathBuf,
    },
    /// The recipe in a RUN folder is not of its search.
    #[error(
        "{}: the search in this folder has not scored {edits}: run it again, which writes the recipe anew, or give the edits with --reduce",
        path.display()
    )]
    UnscoredRecipe {
        /// The recipe.
        path: PathBuf,
        /// Its edits.
        edits: String,
    },
    /// A search that measured no costs.
    #[error("{}: no costs were measured: finish the search, and leave out --no-costs", path.display())]
    NoFront {
        /// The RUN folder.
        path: PathBuf,
    },
    /// A file is not a recipe.
    #[error("{}: this is not a recipe: give the best.json of a RUN folder", path.display())]
    NoRecipe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A recipe was found for another model.
    #[error("{}: the recipe was found for other model files: give its interventions with --reduce to apply them all the same", path.display())]
    OtherModel {
        /// The recipe.
        path: PathBuf,
    },
    /// A masked model is not calibrated on a text.
    #[error("whitened and kfac edits are calibrated on a text, which a masked model does not predict: use other edits")]
    NoCalibration,
    /// Edits were found with another calibration text.
    #[error("{}: its edits are calibrated on another text, of SHA-256 {sha256}: give that one by --calibration", path.display())]
    OtherCalibration {
        /// The recipe.
        path: PathBuf,
        /// The text's hash.
        sha256: String,
    },
    /// A file could not be read.
    #[error("{}: the {what} cannot be read", path.display())]
    Unreadable {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A recipe could not be read.
    #[error("{}: the recipe cannot be read: {source}: give the RUN folder of a finished search, or its best.json", path.display())]
    UnreadableRecipe {
        /// The recipe.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A Parquet file could not be made.
    #[error("{}: the Parquet file cannot be written", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// An edit of which no part is taken away that could be looked at.
    #[error(
        "{edit}: there is no tail to look at: give one edit by a fraction, such as --reduce 9.fc_in:0.05, of a model that predicts next tokens"
    )]
    NoTail {
        /// The edit.
        edit: String,
    },
    /// There are no workers.
    #[error("{why}")]
    Fleet {
        /// Why, and what to do.
        why: String,
    },
    /// Workers have opened another search than their driver.
    #[error("the workers have opened another search: {what} differs: give them the same files, options and version")]
    OtherWorkers {
        /// The first part that differs.
        what: String,
    },
    /// What takes the weights was asked of a session whose model is in a fleet's memory.
    #[error("the model is in the memory of a fleet's workers, which only search: open it here")]
    Elsewhere,
    /// The demo's files could not be written.
    #[error("{}: the demo's files cannot be written: choose another --out", folder.display())]
    DemoFolder {
        /// Their folder.
        folder: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file of the user's stands where one of the demo's goes.
    #[error("{}: holds something else: choose another folder", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its causes, in one line.
pub(crate) fn chain(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Large errors are boxed, so that results stay small.
macro_rules! boxed {
    ($($variant:ident: $error:ty),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })*
    };
}

boxed! {
    Task: laser_tasks::TaskError,
    Checkpoint: laser_checkpoint::CheckpointError,
    Engine: laser_engine::Error,
    Model: laser_model::Error,
    Search: laser_search::Error,
    Decision: laser_decision::Error,
    Write: laser_writers::WriteError,
}
