//! `y = x Wᵀ` for a weight matrix that is not in memory: some of its rows are read at a time, each
//! time it is used.

use super::faer_product::{DEPTH, TINY};
use super::fill::filled;
use super::packed::{Factor, PackedMatrix, available};
use crate::parts::Precision;
use crate::weight_source::{SourceError, WeightSource};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Rows of a weight matrix that are read at a time: few enough for the processor's cache, enough
/// for a fast product.
const PANEL: usize = 256;

/// `x W'` for row-major `x [rows, inputs]` and the W of `source`. The bits are those of the product
/// with W in memory.
pub fn linear_in_panels(x: &[f32], rows: usize, source: &dyn WeightSource) -> Result<Vec<f32>, SourceError> {
    let [outputs, inputs] = source.shape();
    if available(Precision::F32) {
        return packed(x, [rows, inputs, outputs], source);
    }
    // As in a product in memory, faer's shortcuts for few rows and tiny products are kept away
    // from.
    let least = if inputs > DEPTH { TINY / inputs + 1 } else { 1 }.max(2);
    let padded = if (1..least).contains(&rows) { least.next_multiple_of(rows) } else { rows };
    let x = if padded > rows { Cow::Owned(x.repeat(padded / rows)) } else { Cow::Borrowed(x) };
    let x = MatRef::from_column_major_slice(&x, inputs, padded);

    // The product the other way round, yᵀ = W xᵀ, so that a panel's outputs lie together.
    let mut transposed = vec![0.0f32; outputs * padded];
    let mut panels = Vec::with_capacity(outputs / PANEL + 1);
    let mut rest = &mut transposed[..];
    for range in cut(outputs) {
        let (panel, behind) = rest.split_at_mut(range.len() * padded);
        panels.push((range, panel));
        rest = behind;
    }
    panels.into_par_iter().try_for_each(|(range, panel)| {
        let n = range.len();
        let weights = source.rows(range)?;
        let weights = MatRef::from_row_major_slice(&weights, n, inputs);
        let panel = MatMut::from_row_major_slice_mut(panel, n, padded);
        matmul(panel, Accum::Replace, weights, x, 1.0, Par::Seq);
        Ok::<(), SourceError>(())
    })?;
    let mut y = vec![0.0f32; rows * outputs];
    y.par_chunks_mut(outputs.max(1)).enumerate().for_each(|(row, y)| {
        for (output, y) in y.iter_mut().enumerate() {
            *y = transposed[output * padded + row];
        }
    });
    Ok(y)
}

/// The outputs in panels; the last takes what would be too few for one of their own.
fn cut(outputs: usize) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = (0..outputs).step_by(PANEL).collect();
    if starts.len() > 1 && !outputs.is_multiple_of(PANEL) {
        starts.pop();
    }
    let ends = starts.iter().skip(1).copied().chain([outputs]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// The same by packed matrices, for row-major `x`; the shape is rows, inputs, outputs.
fn packed(x: &[f32], [rows, inputs, outputs]: [usize; 3], source: &dyn WeightSource) -> Result<Vec<f32>, SourceError> {
    let x = Factor::new(x, rows, inputs, Precision::F32);
    let parts: Vec<(Range<usize>, Vec<f32>)> = cut(outputs)
        .into_par_iter()
        .map(|range| {
            let matrix = PackedMatrix::new(&source.rows(range.clone())?, range.len(), inputs, Precision::F32);
            Ok((range, matrix.product_of(&x)))
        })
        .collect::<Result<_, SourceError>>()?;
    Ok(filled(rows * outputs, outputs, |row, y| {
        for (range, part) in &parts {
            y[range.clone()].copy_from_slice(&part[row * range.len()..][..range.len()]);
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::faer_product;
    use crate::cpu::packed::PackedMatrix;

    #[derive(Debug)]
    struct InMemory {
        values: Vec<f32>,
        shape: [usize; 2],
    }

    impl WeightSource for InMemory {
        fn shape(&self) -> [usize; 2] {
            self.shape
        }

        fn rows(&self, range: Range<usize>) -> Result<Vec<f32>, SourceError> {
            let inputs = self.shape[1];
            Ok(self.values[range.start * inputs..range.end * inputs].to_vec())
        }
    }

    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.0 - 1.0).collect()
    }

    #[test]
    fn panels_give_the_bits_of_the_whole() {
        for (rows, inputs, outputs) in
            [(1, 48, 2), (1, 700, 300), (2, 514, 3), (7, 1100, 515), (130, 96, 1024), (300, 640, 769)]
        {
            let (x, w) = (values(rows * inputs, 1), values(outputs * inputs, 2));
            let whole = if available(Precision::F32) {
                PackedMatrix::new(&w, outputs, inputs, Precision::F32).product(&x, rows)
            } else {
                let transposed: Vec<f32> =
                    (0..inputs * outputs).map(|i| w[i % outputs * inputs + i / outputs]).collect();
                faer_product::linear(&x, &transposed, [rows, inputs, outputs])
            };
            let source = InMemory { values: w, shape: [outputs, inputs] };
            assert_eq!(linear_in_panels(&x, rows, &source).unwrap(), whole, "{rows} x {inputs} x {outputs}");
        }
    }
}
