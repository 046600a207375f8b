//! LASER: LAyer-SElective Rank reduction (Sharma, Ash, Misra, ICLR 2024, arXiv 2312.13558).
//!
//! Replacing one weight matrix of a trained transformer by a low-rank approximation can make it answer better. A
//! [`Session`] holds a model: it evaluates edits, searches for those that help on a task, judges them, and writes the
//! edited model. The `laser` program is a thin layer over it.
//!
//! ```no_run
//! use laser::{SearchPlan, Session};
//!
//! let session = Session::open("SmolLM2-135M-Instruct.gguf")?;
//! let task = session.task(&"facts".into())?;
//! let found = session.search(&task, &SearchPlan::default(), "run")?;
//! println!("{}", found.text());
//! session.apply(&found.verdict.best, "edited", false)?;
//! # Ok::<(), laser::Error>(())
//! ```
//!
//! # Where to begin
//!
//! | to | see |
//! | --- | --- |
//! | open a model, on a device, for a chat | [`Session::open`], [`Session::open_with`] |
//! | read a task, with its data and options | [`Session::task`], [`TaskSource`] |
//! | score a model, as it is or edited | [`Session::edits`], [`Session::edit`], [`Session::evaluate`] |
//! | search: which candidates, by which strategy, at which cost | [`Session::search`], [`SearchPlan`] |
//! | judge a finished search, read its files | [`Session::judge`], [`run::RunFolder`] |
//! | write an edited model, in any form | [`Session::apply`], [`Session::apply_as`], [`write_edited`] |
//! | see what a search would take | [`Session::dry_run`] |
//!
//! # Examples
//!
//! Each is short, and runs on the demo's model: `cargo run --release -p laser-rank --example library -- FOLDER NAME`.
//!
//! | example | shows |
//! | --- | --- |
//! | `search` | a whole search, and the edited model written |
//! | `library checkpoint` | a checkpoint opened alone, without a model: [`checkpoint::Checkpoint`] |
//! | `library scorer` | a scoring rule of one's own: [`engine::Judge`], [`Judging`] |
//! | `library edit-method` | an edit method of one's own: [`edit::custom`] |
//! | `library strategy` | a strategy of one's own: [`search::Strategy`], [`OwnStrategy`] |
//!
//! A device of one's own is a [`kernels::Backend`], another place to compute a [`run::Scorer`].
//!
//! # The crates behind it
//!
//! They are re-exported: [`run`] has RUN folders, statistics and verdicts, [`report`] their texts and pages, [`tasks`] and
//! [`example`] tasks, [`edit`] and [`matrix`] edits, [`checkpoint`], [`tokenizer`] and [`writers`] files of models,
//! [`model`], [`kernels`] and [`engine`] the forward pass, [`search`](mod@search) strategies, and [`linalg`] decompositions.

// The program's parts name the library as its users do.
extern crate self as laser;

mod bar;
mod calibration_text;
mod cli;
mod commands;
mod cost_plan;
mod demo_files;
mod dry_run;
mod edited_output;
mod elsewhere;
mod error;
mod evaluated_example;
mod evaluation;
mod fleet_search;
mod found_edits;
mod judged_run;
mod live_report;
mod loaded_model;
mod machine_memory;
mod made_task;
mod model_card;
mod model_source;
mod offered_fleets;
mod out_of_memory;
mod outcomes_parquet;
mod output;
mod output_head;
mod output_place;
mod own_text;
mod prepared_search;
pub mod program;
mod read_back;
mod recipe_file;
mod report_file;
mod search_plan;
mod search_run;
mod session;
mod session_command;
mod sokoban_search;
mod spectra_cache;
mod speech;
mod stopped;
mod subtask_scores;
mod tail_findings;
mod task_source;
mod text_source;
mod this_machine;

pub use cost_plan::{CostPlan, CostText, TEXT_TOKENS};
pub use demo_files::DemoFiles;
pub use dry_run::DryRun;
pub use edited_output::{Output, OutputFormat, OutputPlan, write_edited};
pub use error::{Error, Result};
pub use evaluated_example::EvaluatedExample;
pub use evaluation::{Edited, Evaluation};
pub use fleet_search::{Worker, search_on};
pub use found_edits::FoundEdits;
pub use judged_run::JudgedRun;
pub use laser_checkpoint as checkpoint;
pub use laser_decision as decision;
pub use laser_edit as edit;
pub use laser_engine as engine;
pub use laser_example as example;
pub use laser_fleet as fleet;
pub use laser_hub as hub;
pub use laser_kernels as kernels;
pub use laser_linalg as linalg;
pub use laser_matrix as matrix;
pub use laser_model as model;
pub use laser_report as report;
pub use laser_run as run;
pub use laser_search as search;
pub use laser_sokoban as sokoban;
pub use laser_tasks as tasks;
pub use laser_tokenizer as tokenizer;
pub use laser_writers as writers;
pub use made_task::{Judging, ReadTask, TaskMaker, offer_tasks};
pub use model_card::ModelCard;
pub use model_source::ModelSource;
pub use offered_fleets::{FleetMaker, FleetSize, offer_fleets};
pub use outcomes_parquet::outcomes_parquet;
pub use recipe_file::{FoundFront, FoundRecipe, JudgedEdits, read_front, read_recipe};
pub use report_file::{is_own_page, write_page};
pub use search_plan::{
    BEAM_WIDTH, EVOLVE_EVALUATIONS, GRADIENT_EXAMPLES, OwnStrategy, PAPER_RHOS, PoolChoice, SearchPlan, SpaceChoice,
    StrategyChoice, layers_of, matrices_of,
};
pub use session::{Session, SessionOptions};
pub use session_command::{CommandError, scored_candidates, summary_page, verdict_document, write_weights};
pub use sokoban_search::{LevelsPlan, search_levels};
pub use spectra_cache::SpectraCache;
pub use speech::{Sampling, Speech, Step};
pub use subtask_scores::{GroupScore, SubtaskScore};
pub use task_source::{NamedTask, OnLong, OpenTask, TaskSource};
pub use text_source::{OpenText, TextSource};
pub use this_machine::{Gpu, HubState, Machine, ModelFit};
