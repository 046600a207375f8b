//! What goes through a weight of the reference backend.

use crate::error::Result;
use candle_core::{Tensor, Var};
use std::sync::{Arc, Mutex, PoisonError};

/// Notes the rows that go into the products of a weight, and lets gradients by what comes out be taken.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Mutex<Vec<Passed>>>);

/// One product.
#[derive(Debug, Clone)]
pub struct Passed {
    /// `[rows, inputs]`.
    pub inputs: Tensor,
    /// Zeros that were added to what came out, `[rows, outputs]`: the gradient by it is that by the output.
    pub added: Var,
}

impl Tap {
    /// `outputs` as they are, behind the tap.
    pub(super) fn note(&self, inputs: &Tensor, outputs: &Tensor) -> Result<Tensor> {
        let added = Var::from_tensor(&outputs.zeros_like()?.detach())?;
        let behind = (outputs + added.as_tensor())?;
        let mut passed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        passed.push(Passed { inputs: inputs.detach(), added });
        Ok(behind)
    }

    /// What has passed since it was last asked.
    pub fn take(&self) -> Vec<Passed> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
