//! What goes through a model's matrices on some samples: their inputs, and the loss's gradients by
//! their outputs.

use crate::backward::{Forward, Sample, layer_gradients};
use crate::batch::Batch;
use crate::block::missing;
use crate::layer::Layer;
use crate::loading::matrix_of;
use crate::transfer::Transfer;
use crate::transformer::Model;
use crate::{Error, Result};
use candle_core::Tensor;
use laser_edit::MatrixId;
use laser_kernels::{Differentiable, Passed, Reference};
use laser_matrix::{Matrix, Observed};
use std::sync::Arc;

/// A model's residual streams on some samples. They take `[tokens, hidden]` in f32 a layer, and as
/// much again with gradients.
#[derive(Debug)]
pub struct Streams {
    samples: Vec<SampleStreams>,
    with_gradients: bool,
}

#[derive(Debug)]
struct SampleStreams {
    batch: Batch<Reference>,
    /// Before each layer.
    residual: Vec<Tensor>,
    /// The loss's gradients by what comes out of each layer, if they were taken.
    above: Vec<Tensor>,
}

impl Streams {
    /// Whether gradients were taken.
    pub fn have_gradients(&self) -> bool {
        self.with_gradients
    }
}

impl<B: Differentiable> Model<B> {
    /// The residual streams of `samples`, and on demand the gradients of their loss.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn streams(&self, samples: &[Sample], with_gradients: bool) -> Result<Streams> {
        let reference = self.backend().reference();
        let mut forwards =
            samples.iter().map(|sample| Forward::new(self, &reference, sample, 0)).collect::<Result<Vec<_>>>()?;
        let residual: Vec<Vec<Tensor>> = forwards.iter().map(|forward| forward.residual.clone()).collect();
        let layers = self.config().layers;
        let mut above = vec![Vec::new(); samples.len()];
        if with_gradients {
            let transfer = Transfer { from: self.backend(), to: &reference };
            let head = transfer.head(self.head())?;
            for (forward, sample) in forwards.iter_mut().zip(samples) {
                forward.through_head(&head, &reference, &sample.loss)?;
            }
            drop(head);
            for layer in (0..layers).rev() {
                for (above, forward) in above.iter_mut().zip(&forwards) {
                    above.extend(forward.gradient.clone());
                }
                if layer > 0 {
                    let block = transfer.block(self.block(layer))?;
                    layer_gradients(self, &reference, &block, &[], &mut forwards)?;
                }
            }
        }
        let together = forwards.into_iter().zip(residual).zip(above);
        let samples = together.map(|((forward, mut residual), mut above)| {
            residual.truncate(layers);
            above.reverse();
            SampleStreams { batch: forward.batch, residual, above }
        });
        Ok(Streams { samples: samples.collect(), with_gradients })
    }

    /// What goes through the matrices `ids` of a layer, one row for each token that does.
    ///
    /// # Errors
    /// If the model lacks one of the matrices, or memory does not suffice.
    pub fn observe(&self, streams: &Streams, layer: usize, ids: &[MatrixId]) -> Result<Vec<Observed>> {
        let reference = self.backend().reference();
        let mut block = Transfer { from: self.backend(), to: &reference }.block(self.block(layer))?;
        let mut taps = Vec::with_capacity(ids.len());
        for &id in ids {
            let linear = block.matrix(id).ok_or_else(|| missing(id))?;
            let (weight, tap) = linear.weight.tapped();
            linear.weight = Arc::new(weight);
            taps.push(tap);
        }
        let mut rows: Vec<Rows> = ids.iter().map(|_| Rows::default()).collect();
        for SampleStreams { batch, residual, above } in &streams.samples {
            // The rows see each other only.
            let mut cache = self.caches_on(&reference, 0..1, 1)?;
            let y = Layer::of(&reference, &block, batch).forward(&residual[layer], &mut cache[0])?;
            let passed: Vec<Vec<Passed>> = taps.iter().map(|tap| tap.take()).collect();
            let gradients = match above.get(layer) {
                Some(above) => Some((y * above)?.sum_all()?.backward()?),
                None => None,
            };
            for (rows, passed) in rows.iter_mut().zip(passed) {
                for Passed { inputs, added } in passed {
                    rows.inputs.extend(inputs.flatten_all()?.to_vec1::<f32>()?);
                    match gradients.as_ref().map(|gradients| gradients.get(&added)) {
                        Some(Some(by_outputs)) => rows.gradients.extend(by_outputs.flatten_all()?.to_vec1::<f32>()?),
                        // Nothing that comes out of it reaches the loss.
                        Some(None) => rows.gradients.resize(rows.gradients.len() + added.elem_count(), 0.0),
                        None => {}
                    }
                }
            }
        }
        let config = self.config();
        let observed = |(id, rows): (&MatrixId, Rows)| {
            let [outputs, inputs] = id.kind.shape(config);
            let gradients = streams.with_gradients.then(|| table(rows.gradients, outputs)).transpose()?;
            Ok(Observed { inputs: table(rows.inputs, inputs)?, gradients })
        };
        ids.iter().zip(rows).map(observed).collect()
    }
}

/// The rows that have passed a matrix.
#[derive(Default)]
struct Rows {
    inputs: Vec<f32>,
    gradients: Vec<f32>,
}

fn table(values: Vec<f32>, width: usize) -> Result<Matrix, Error> {
    matrix_of(values.len().checked_div(width).unwrap_or(0), width, values)
}
