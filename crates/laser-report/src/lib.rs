//! What a person reads.

mod account;
mod metrics;
mod table;
mod verdict;

pub use account::{account_text, rounding_text};
pub use metrics::metrics_text;
pub use table::{aligned, sweep_table};
pub use verdict::verdict_text;
