//! RUN folders: what was asked, what was scored, and what it is worth. Data only: no tensors, no tokenizers.

mod constant;
mod error;
mod files;
mod metrics;
mod perplexity;
mod progress;
mod record;
pub mod statistics;

pub use constant::Constant;
pub use error::{Error, Result};
pub use files::write_whole;
pub use metrics::{ChoiceMetrics, ClassMetrics, GenerationMetrics, Metrics, predicted, shared_classes, truth};
pub use perplexity::{Perplexity, PerplexityChange, Windows};
pub use progress::{Progress, Silent};
pub use record::Record;
pub use statistics::Interval;
