//! An expert for every row.

use laser_kernels::{Backend, LinearOn, MlpOn};

/// The expert that every row goes through beside its own; no edit is of it.
#[derive(Debug, Clone)]
pub(crate) struct SharedExpert<B: Backend> {
    pub mlp: MlpOn<B>,
    /// Its output is multiplied by the sigmoid of this product.
    pub gate: Option<LinearOn<B>>,
}
