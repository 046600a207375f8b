use crate::weight_source::SourceError;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operands do not fit each other.
    #[error("{op}: {why}")]
    Operands {
        /// The operation.
        op: &'static str,
        /// What does not fit.
        why: String,
    },
    /// A weight that is read when it is used could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The backend, on this machine, cannot multiply in a precision.
    #[error("there are no products in {precision}: {why}")]
    Precision {
        /// What was asked for.
        precision: &'static str,
        /// What stands in the way.
        why: &'static str,
    },
    /// The device refused, for example because it is out of memory.
    #[error("{why}")]
    Device {
        /// One line.
        why: String,
    },
    /// An operation of candle failed, for example because the device is out of memory.
    #[error("{0}")]
    Tensor(#[from] candle_core::Error),
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;
