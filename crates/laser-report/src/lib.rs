//! What a person reads of a finished search.

mod table;

pub use table::{sweep_table, verdict_table};
