//! What a person reads.

mod metrics;
mod table;
mod verdict;

pub use metrics::metrics_text;
pub use table::{aligned, sweep_table};
pub use verdict::verdict_text;
