//! One file a subcommand.

pub mod apply;
pub mod chat;
pub mod compare;
pub mod demo;
pub mod eval;
pub mod inspect;
pub mod report;
pub mod search;
pub mod tasks;
pub mod verdict;
