//! `y = x Wᵀ` for a weight matrix that is not in memory: some of its rows are read at a time, each time it is used.

use super::linear::{DEPTH, TINY};
use super::packed::{Factor, PackedMatrix, Precision};
use candle_core::{Device, Tensor};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a weight matrix that are read at a time: few enough for the processor's cache, enough for a fast product.
const PANEL: usize = 256;

/// `x Wᵀ` for `x [rows, inputs]` on the CPU and W of `outputs` rows, of which `read` gives some, row-major. The bits are those
/// of the product with W in memory.
pub fn linear_in_panels<E>(
    x: &Tensor,
    outputs: usize,
    read: impl Fn(Range<usize>) -> Result<Vec<f32>, E> + Sync,
) -> Result<Tensor, E>
where
    E: From<candle_core::Error> + Send,
{
    let (rows, inputs) = x.dims2()?;
    if super::packs(Precision::F32) {
        return packed(&x.flatten_all()?.to_vec1::<f32>()?, [rows, inputs, outputs], read);
    }
    // As in a product in memory, faer's shortcuts for few rows and tiny products are kept away from.
    let least = if inputs > DEPTH { TINY / inputs + 1 } else { 1 }.max(2);
    let mut x = x.flatten_all()?.to_vec1::<f32>()?;
    let padded = if (1..least).contains(&rows) { least.next_multiple_of(rows) } else { rows };
    if padded > rows {
        x = x.repeat(padded / rows);
    }
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
        let weights = read(range)?;
        let weights = MatRef::from_row_major_slice(&weights, n, inputs);
        let panel = MatMut::from_row_major_slice_mut(panel, n, padded);
        matmul(panel, Accum::Replace, weights, x, 1.0, Par::Seq);
        Ok::<(), E>(())
    })?;
    let mut y = vec![0.0f32; rows * outputs];
    y.par_chunks_mut(outputs.max(1)).enumerate().for_each(|(row, y)| {
        for (output, y) in y.iter_mut().enumerate() {
            *y = transposed[output * padded + row];
        }
    });
    Ok(Tensor::from_vec(y, (rows, outputs), &Device::Cpu)?)
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
fn packed<E: From<candle_core::Error> + Send>(
    x: &[f32],
    [rows, inputs, outputs]: [usize; 3],
    read: impl Fn(Range<usize>) -> Result<Vec<f32>, E> + Sync,
) -> Result<Tensor, E> {
    let x = Factor::new(x, rows, inputs, Precision::F32);
    let parts: Vec<(Range<usize>, Vec<f32>)> = cut(outputs)
        .into_par_iter()
        .map(|range| {
            let matrix = PackedMatrix::new(&read(range.clone())?, range.len(), inputs, Precision::F32);
            Ok((range, matrix.product_of(&x)))
        })
        .collect::<Result<_, E>>()?;
    let y = super::filled(rows * outputs, outputs, |row, y| {
        for (range, part) in &parts {
            y[range.clone()].copy_from_slice(&part[row * range.len()..][..range.len()]);
        }
    });
    Ok(Tensor::from_vec(y, (rows, outputs), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{linear, packs};

    #[test]
    fn panels_give_the_bits_of_the_whole() {
        for (rows, inputs, outputs) in
            [(1, 48, 2), (1, 700, 300), (2, 514, 3), (7, 1100, 515), (130, 96, 1024), (300, 640, 769)]
        {
            let x = Tensor::randn(0f32, 1.0, (rows, inputs), &Device::Cpu).unwrap();
            let w = Tensor::randn(0f32, 1.0, (outputs, inputs), &Device::Cpu).unwrap();
            let values = w.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let whole = if packs(Precision::F32) {
                PackedMatrix::new(&values, outputs, inputs, Precision::F32).forward(&x)
            } else {
                linear(&x, &w.t().unwrap().contiguous().unwrap())
            };
            let whole = whole.unwrap().to_vec2::<f32>().unwrap();
            let read = |range: Range<usize>| {
                Ok::<_, candle_core::Error>(values[range.start * inputs..range.end * inputs].to_vec())
            };
            let found = linear_in_panels(&x, outputs, read).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(found, whole, "{rows} x {inputs} x {outputs}");
        }
    }
}
