//! What a matrix's inputs and outputs were on a calibration text, and what distances they give.

use crate::Matrix;

/// By what the distance of W' from W is measured. With D = W' - W `[outputs, inputs]`, C the second moments of the inputs,
/// and G those of the loss's gradients by the outputs:
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Curvature {
    /// tr(D C D^T): by how much the outputs change on average.
    Inputs,
    /// tr(G D C D^T): by how much the loss changes, as far as a Kronecker-factored curvature tells (K-FAC, arXiv 1503.05671).
    InputsAndGradients,
}

/// What went through a matrix, a row for each token.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// `[tokens, inputs]`.
    pub inputs: Matrix,
    /// `[tokens, outputs]`: the gradients of the loss by the outputs, if they were taken.
    pub gradients: Option<Matrix>,
}
