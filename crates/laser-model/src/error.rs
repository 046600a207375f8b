use laser_edit::MatrixId;

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint could not be read.
    #[error(transparent)]
    Checkpoint(#[from] laser_checkpoint::CheckpointError),
    /// An operation failed, for example because the device is out of memory.
    #[error(transparent)]
    Kernel(#[from] laser_kernels::Error),
    /// An operation of a backward pass failed.
    #[error("{0}")]
    Tensor(#[from] candle_core::Error),
    /// The model lacks a part.
    #[error("the model cannot be run: {why}")]
    Model {
        /// What is missing.
        why: String,
    },
    /// The requested device is not in this build or this machine.
    #[error("device `{device}` cannot be used: {why}: {advice}")]
    Device {
        /// What was asked for.
        device: &'static str,
        /// The driver's or the build's reason.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// The layers cannot be computed in bf16.
    #[error("products in bf16 cannot be used: {why}: leave `--dtype bf16` out")]
    Bf16 {
        /// What stands in the way.
        why: &'static str,
    },
    /// A replacement matrix does not have the shape of the one that it replaces.
    #[error("{layer}.{matrix} has shape {expected:?}, the replacement {found:?}")]
    Replacement {
        /// Layer, counted from 0.
        layer: usize,
        /// Matrix kind.
        matrix: MatrixId,
        /// Rows and columns of the model's matrix.
        expected: (usize, usize),
        /// Rows and columns that were given.
        found: (usize, usize),
    },
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;
