//! Weights that a backend reads when it uses them.

use std::fmt::Debug;
use std::ops::Range;

/// Why a weight could not be read.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A weight matrix `[outputs, inputs]` that is somewhere else, for example on disk.
pub trait WeightSource: Debug + Send + Sync {
    /// Outputs and inputs.
    fn shape(&self) -> [usize; 2];

    /// The rows `range`, row-major: `range.len() * inputs` values.
    ///
    /// # Errors
    /// If they cannot be read.
    fn rows(&self, range: Range<usize>) -> Result<Vec<f32>, SourceError>;
}
