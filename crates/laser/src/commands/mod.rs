//! One file a subcommand.

pub mod analyze;
pub mod apply;
pub mod chat;
pub mod compare;
pub mod completions;
pub mod demo;
pub mod doctor;
mod dry_run;
pub mod eval;
pub mod fleet;
pub mod front;
pub mod inspect;
#[cfg(test)]
mod json_schemas;
pub mod man;
pub mod merge;
pub mod report;
pub mod search;
pub mod sokoban;
mod table;
pub mod tasks;
pub mod verdict;
