//! What a person reads.

mod table;

pub use table::{aligned, sweep_table, verdict_table};
