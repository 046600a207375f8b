//! Gradients of a loss by the weight matrices: one backward pass, a layer at a time.
//!
//! The forward pass is the model's own backend's. Gradients are taken on its reference backend,
//! which has one layer's weights at a time.

use crate::batch::Batch;
use crate::block::{Block, missing};
use crate::head::Head;
use crate::layer::Layer;
use crate::loading::matrix_of;
use crate::transfer::Transfer;
use crate::transformer::Model;
use crate::{Error, Result};
use candle_core::{D, Tensor, Var};
use laser_edit::MatrixId;
use laser_kernels::{Backend, Differentiable, KvIndices, Reference};
use laser_matrix::Matrix;
use std::sync::Arc;

/// Rows whose logits are held at a time, with all that their gradient takes.
const HEAD_ROWS: usize = 128;

/// Tokens that go through the model together, and what is lost on them.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The tokens, a row each.
    pub tokens: Vec<u32>,
    /// Where each stands in its sequence.
    pub positions: Vec<u32>,
    /// Which rows of the sample each attends to.
    pub indices: KvIndices,
    /// The loss is the sum of these.
    pub loss: Vec<LossTerm>,
}

/// -`weight` ln p(`token`), as row `row` predicts it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossTerm {
    /// The row that predicts.
    pub row: u32,
    /// The token.
    pub token: u32,
    /// A factor.
    pub weight: f64,
}

impl<B: Differentiable> Model<B> {
    /// The loss of `samples`, nats; `each` is given dL/dW `[outputs, inputs]` of the matrices
    /// `ids`, from the last layer to layer `lowest`.
    ///
    /// The residual streams between those layers are kept, and one layer's gradients at a time. In
    /// a mixture of experts the choice of experts and their weights are taken as constants.
    ///
    /// # Errors
    /// If the model lacks one of the matrices, memory does not suffice, or `each` fails.
    pub fn gradients<E: From<Error>>(
        &self,
        samples: &[Sample],
        ids: &[MatrixId],
        lowest: usize,
        mut each: impl FnMut(usize, MatrixId, Matrix) -> Result<(), E>,
    ) -> Result<f64, E> {
        let config = self.config();
        let reference = self.backend().reference();
        let transfer = Transfer { from: self.backend(), to: &reference };
        let mut loss = 0.0;
        let mut forwards = Vec::with_capacity(samples.len());
        let head = transfer.head(self.head())?;
        for sample in samples {
            let mut forward = Forward::new(self, &reference, sample, lowest)?;
            loss += forward.through_head(&head, &reference, &sample.loss)?;
            forwards.push(forward);
        }
        drop(head);
        for layer in (lowest..config.layers).rev() {
            let (block, variables) = tracked(transfer.block(self.block(layer))?, ids)?;
            let gradients = layer_gradients(self, &reference, &block, &variables, &mut forwards)?;
            for (id, gradient) in ids.iter().zip(gradients) {
                let [rows, cols] = id.kind.shape(config);
                let values = match gradient {
                    Some(gradient) => {
                        gradient.t().and_then(|it| it.flatten_all()?.to_vec1::<f32>()).map_err(Error::from)?
                    }
                    // An expert that no row goes through.
                    None => vec![0.0; rows * cols],
                };
                each(layer, *id, matrix_of(rows, cols, values)?)?;
            }
        }
        Ok(loss)
    }
}

/// A sample on its way: the residual streams before the layers, and the loss's gradient by what
/// comes out of them.
pub(crate) struct Forward {
    pub batch: Batch<Reference>,
    /// Before each layer that the gradient has not gone through, and behind the last.
    pub residual: Vec<Tensor>,
    pub gradient: Option<Tensor>,
}

impl Forward {
    pub fn new<B: Backend>(model: &Model<B>, reference: &Reference, sample: &Sample, lowest: usize) -> Result<Self> {
        let (backend, config) = (model.backend(), model.config());
        let places: Vec<u32> = (0..sample.tokens.len() as u32).collect();
        let batch = model.batch(&sample.positions, places.clone(), sample.indices.clone())?;
        let keep = |x: &B::Rows| -> Result<Tensor> { Ok(reference.rows(backend.to_host(x)?, config.hidden_size)?) };
        let mut x = model.embed(&sample.tokens, &sample.positions)?;
        let mut residual = Vec::with_capacity(config.layers + 1);
        for layer in 0..config.layers {
            if layer >= lowest {
                residual.push(keep(&x)?);
            }
            let mut cache = model.caches(layer..layer + 1, sample.tokens.len())?;
            x = model.run(layer..layer + 1, x, &batch, &mut cache)?;
        }
        residual.push(keep(&x)?);
        let batch = model.batch_on(reference, &sample.positions, places, sample.indices.clone())?;
        Ok(Self { batch, residual, gradient: None })
    }

    /// The loss, and its gradient by the residual stream behind the last layer.
    pub fn through_head(&mut self, head: &Head<Reference>, reference: &Reference, terms: &[LossTerm]) -> Result<f64> {
        let Some(last) = self.residual.pop() else { return Ok(0.0) };
        let mut gradient = last.zeros_like()?;
        let mut loss = 0.0;
        for terms in terms.chunks(HEAD_ROWS) {
            let n = terms.len();
            let rows = Tensor::from_vec(terms.iter().map(|term| term.row).collect::<Vec<_>>(), n, last.device())?;
            let tokens =
                Tensor::from_vec(terms.iter().map(|term| term.token).collect::<Vec<_>>(), (n, 1), last.device())?;
            let weights: Vec<f32> = terms.iter().map(|term| -term.weight as f32).collect();
            let weights = Tensor::from_vec(weights, (n, 1), last.device())?;
            let x = Var::from_tensor(&last.index_select(&rows, 0)?)?;
            let logprobs = candle_nn::ops::log_softmax(&head.logits(reference, &x)?, D::Minus1)?;
            let sum = (logprobs.gather(&tokens, 1)? * weights)?.sum_all()?;
            loss += f64::from(sum.to_scalar::<f32>()?);
            if let Some(by_x) = sum.backward()?.get(&x) {
                gradient = gradient.index_add(&rows, by_x, 0)?;
            }
        }
        self.gradient = Some(gradient);
        Ok(loss)
    }
}

/// A block whose matrices `ids` are variables, and the variables, each `[inputs, outputs]`.
fn tracked(mut block: Block<Reference>, ids: &[MatrixId]) -> Result<(Block<Reference>, Vec<Var>)> {
    let mut variables = Vec::with_capacity(ids.len());
    for &id in ids {
        let linear = block.matrix(id).ok_or_else(|| missing(id))?;
        let (weight, variable) = linear.weight.variable()?;
        linear.weight = Arc::new(weight);
        variables.push(variable);
    }
    Ok((block, variables))
}

/// The gradients by a layer's matrices, `[inputs, outputs]`, summed over samples; the samples'
/// gradients move below the layer.
pub(crate) fn layer_gradients<B: Backend>(
    model: &Model<B>,
    reference: &Reference,
    block: &Block<Reference>,
    variables: &[Var],
    forwards: &mut [Forward],
) -> Result<Vec<Option<Tensor>>> {
    let mut sums: Vec<Option<Tensor>> = vec![None; variables.len()];
    for forward in forwards {
        let (Some(x), Some(above)) = (forward.residual.pop(), forward.gradient.take()) else { continue };
        let x = Var::from_tensor(&x)?;
        // The rows see each other only.
        let mut cache = model.caches_on(reference, 0..1, 1)?;
        let y = Layer::of(reference, block, &forward.batch).forward(&x, &mut cache[0])?;
        let gradients = (y * above)?.sum_all()?.backward()?;
        for (sum, variable) in sums.iter_mut().zip(variables) {
            let Some(by_weight) = gradients.get(variable) else { continue };
            *sum = Some(match sum.take() {
                Some(sum) => (sum + by_weight)?,
                None => by_weight.clone(),
            });
        }
        forward.gradient = Some(match gradients.get(&x) {
            Some(by_x) => by_x.detach(),
            None => x.zeros_like()?,
        });
    }
    Ok(sums)
}
