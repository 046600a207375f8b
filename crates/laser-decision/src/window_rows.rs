//! Rows of windows through layers, each window under its own candidate.

use crate::error::Result;
use laser_kernels::{Backend, KvIndices};
use laser_model::{Batch, KeyValueCache, Model};
use std::ops::Range;

/// Takes windows of such lengths, each under its own model, through some layers. Behind the last
/// layer of the model only the last row of each window comes out.
pub(crate) fn run_layers<B: Backend>(
    models: &[&Model<B>],
    lengths: &[usize],
    layers: Range<usize>,
    mut x: B::Rows,
    caches: &mut [KeyValueCache<B>],
) -> Result<B::Rows> {
    let Some(&model) = models.first() else { return Ok(x) };
    let batch = batch_of(model, lengths)?;
    for layer in layers {
        let rows = models.iter().copied().zip(lengths.iter().copied());
        let cache = &mut caches[layer];
        x = if layer + 1 == model.config().layers {
            let ends = lengths.iter().scan(0, |end, length| {
                *end += *length as u32;
                Some(*end - 1)
            });
            model.run_layer_of(rows, layer, x, &batch.only(&ends.collect::<Vec<u32>>())?, cache)?
        } else {
            model.run_layer_of(rows, layer, x, &batch, cache)?
        };
    }
    Ok(x)
}

/// Rows of windows, each of which sees those before it in its window.
fn batch_of<B: Backend>(model: &Model<B>, lengths: &[usize]) -> Result<Batch<B>> {
    let mut indices = KvIndices::default();
    let mut positions = Vec::new();
    let mut start = 0;
    for &length in lengths {
        for position in 0..length as u32 {
            indices.push(start..=start + position);
            positions.push(position);
        }
        start += length as u32;
    }
    Ok(model.batch(&positions, (0..start).collect(), indices)?)
}
