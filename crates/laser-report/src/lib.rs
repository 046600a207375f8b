//! What a person reads of a search: texts for a terminal, the HTML report with its figures, CSV tables, and forms that other
//! programs show.
//!
//! [`ReadRun`] reads a RUN folder as far as it can be read; [`ReportData`] is what is shown of it. A figure is a file of `charts`:
//! it turns that data into a drawing and the table under it.
//!
//! ```no_run
//! use laser_report::ReadRun;
//! use laser_run::RunFolder;
//!
//! let read = ReadRun::open(&RunFolder::open("run".as_ref())?);
//! std::fs::write("page.html", read.data.page())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod analyses;
mod changed_example;
mod charts;
mod comparison_page;
mod data_table;
mod equivalent_command;
mod exports;
mod front_text;
mod heat_text;
mod metrics_text;
mod numbers;
mod page;
mod plot;
mod reason_text;
mod report_data;
mod result_form;
mod run_page;
mod search_text;
mod sweep;
mod table;
mod time_text;
mod trace_text;
mod verdict_text;
mod visible_text;

pub use analyses::{
    Analysis, MatrixPart, MatrixSpectrum, Occurrences, PartAnswer, PartAnswers, PushedTokens, TailFindings, frequency,
    is_frequent_word, methods_compared, monotone, paraphrase, perplexity_change, rank, tail,
};
pub use changed_example::ChangedExample;
pub use comparison_page::ComparedRuns;
pub use equivalent_command::{quoted, search_arguments};
pub use exports::{lm_eval_files, optuna_journal};
pub use front_text::{front_text, thousands};
pub use heat_text::heat_text;
pub use metrics_text::metrics_text;
pub use page::is_page;
pub use reason_text::{because, verdict_file};
pub use report_data::{Best, EXAMPLE_PICTURE, ReadRun, ReportData, RunParts, State, last_part};
pub use result_form::ResultForm;
pub use search_text::{FoundText, judged_text, search_text};
pub use sweep::{Measure, Other, Sweep, SweepRow};
pub use table::aligned;
pub use time_text::time_text;
pub use visible_text::{beginning, visible, visible_json};
