//! In which basis a matrix is truncated, where it is not its own.

use std::num::NonZeroUsize;

use crate::Matrix;

/// What W' of a low rank is nearest to W by, where it is not the distance of the entries. With D = W' - W `[outputs, inputs]`, C
/// the second moments of the inputs, and G those of the loss's gradients by the outputs:
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// tr(D C D^T): by how much the outputs change on average.
    Inputs,
    /// tr(G D C D^T): by how much the loss changes, as far as a Kronecker-factored curvature tells (K-FAC, arXiv 1503.05671).
    InputsAndGradients,
    /// The sum of ||D||^2 over the same matrix of so many neighbouring layers, which share one factor: that on the side of the
    /// residual stream.
    Stack(NonZeroUsize),
}

impl Basis {
    /// Whether it is taken from what went through the matrix on a calibration text.
    pub fn is_observed(self) -> bool {
        match self {
            Self::Inputs | Self::InputsAndGradients => true,
            Self::Stack(_) => false,
        }
    }
}

/// What went through a matrix, a row for each token.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// `[tokens, inputs]`.
    pub inputs: Matrix,
    /// `[tokens, outputs]`: the gradients of the loss by the outputs, if they were taken.
    pub gradients: Option<Matrix>,
}

/// A matrix and its neighbours, of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// The matrices.
    pub matrices: Vec<Matrix>,
    /// Whether they share the outputs' factor, not the inputs'.
    pub shares_outputs: bool,
}
