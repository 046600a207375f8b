//! What a person reads.

mod metrics_text;
mod numbers;
mod reason_text;
mod search_text;
mod table;
mod trace_text;
mod verdict_text;

pub use metrics_text::metrics_text;
pub use reason_text::{because, verdict_file};
pub use search_text::{judged_text, search_text};
pub use table::aligned;
