//! The rows of one forward pass: where each stands in its sequence and what it may look at.

use crate::Result;
use crate::kernels::Context;
use crate::model::Model;
use candle_core::Tensor;
use std::sync::Arc;

/// Positions and attention contexts of the rows that go through the blocks together.
#[derive(Debug)]
pub struct Batch {
    cos: Tensor,
    sin: Tensor,
    context: Arc<Context>,
    /// For the layers that have a sliding window.
    nearest: Arc<Context>,
}

impl Batch {
    /// Row `i` stands at `positions[i]` and attends to the cache rows of query `i` of `context`. In layers with a sliding
    /// window only the nearest of them count.
    pub fn new(model: &Model, positions: &[u32], context: Context) -> Result<Self> {
        let (cos, sin) = model.rotary().tables(positions, model.device())?;
        let context = Arc::new(context);
        let nearest = match model.config().sliding_window {
            Some(window) => Arc::new(context.nearest(window)),
            None => context.clone(),
        };
        Ok(Self { cos, sin, context, nearest })
    }

    pub(crate) fn rotation(&self) -> (&Tensor, &Tensor) {
        (&self.cos, &self.sin)
    }

    /// What the rows see in a layer with or without a sliding window.
    pub(crate) fn context(&self, windowed: bool) -> &Arc<Context> {
        if windowed { &self.nearest } else { &self.context }
    }
}
