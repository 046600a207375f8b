//! Operations with their gradients in one piece, where candle would go through memory a dozen
//! times.

use crate::board_planes::{INNER, SEEN};
use candle_core::{CpuStorage, CustomOp1, CustomOp3, Error, Layout, Result, Shape, Tensor};

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else { candle_core::bail!("not f32") };
    let (start, end) = layout.contiguous_offsets().ok_or_else(|| Error::Msg("not contiguous".to_owned()))?;
    Ok(&values[start..end])
}

fn to_floats(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// For each seen cell the channels of its 3 x 3 neighbourhood, zeros beyond the edge: `[boards,
/// SEEN, channels]` becomes `[boards * SEEN, 9 * channels]`, neighbour by neighbour. A convolution
/// is the product of that with a matrix.
pub(crate) fn neighbourhoods(x: &Tensor) -> Result<Tensor> {
    x.apply_op1(Neighbourhoods)
}

struct Neighbourhoods;
struct NeighbourhoodsBack;

/// Calls `each(cell, neighbour's number, neighbour's cell)`.
pub(crate) fn each_neighbour(mut each: impl FnMut(usize, usize, usize)) {
    for cell in 0..SEEN {
        for number in 0..9 {
            let (row, column) = (cell / INNER + number / 3, cell % INNER + number % 3);
            if (1..=INNER).contains(&row) && (1..=INNER).contains(&column) {
                each(cell, number, (row - 1) * INNER + column - 1);
            }
        }
    }
}

impl CustomOp1 for Neighbourhoods {
    fn name(&self) -> &'static str {
        "neighbourhoods"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (boards, _, channels) = layout.shape().dims3()?;
        let x = floats(storage, layout)?;
        let mut out = vec![0f32; boards * SEEN * 9 * channels];
        let boards_out = out.chunks_exact_mut(SEEN * 9 * channels);
        for (board, out) in x.chunks_exact(SEEN * channels).zip(boards_out) {
            each_neighbour(|cell, number, other| {
                out[(cell * 9 + number) * channels..][..channels]
                    .copy_from_slice(&board[other * channels..][..channels]);
            });
        }
        Ok((CpuStorage::F32(out), (boards * SEEN, 9 * channels).into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.contiguous()?.apply_op1_no_bwd(&NeighbourhoodsBack)?))
    }
}

impl CustomOp1 for NeighbourhoodsBack {
    fn name(&self) -> &'static str {
        "neighbourhoods-back"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let (boards, channels) = (rows / SEEN, width / 9);
        let gradient = floats(storage, layout)?;
        let mut out = vec![0f32; boards * SEEN * channels];
        for (gradient, out) in gradient.chunks_exact(SEEN * width).zip(out.chunks_exact_mut(SEEN * channels)) {
            each_neighbour(|cell, number, other| {
                let from = &gradient[(cell * 9 + number) * channels..][..channels];
                out[other * channels..][..channels].iter_mut().zip(from).for_each(|(sum, value)| *sum += value);
            });
        }
        Ok((CpuStorage::F32(out), (boards, SEEN, channels).into()))
    }
}

/// (x - mean(x)) / sqrt(var(x) + eps) * weight + bias of each row.
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    x.apply_op3(weight, bias, LayerNorm { eps: eps as f32 })
}

struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    /// The mean of a row, and one over its deviation.
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let n = row.len() as f32;
        let mean = row.iter().sum::<f32>() / n;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (weight, bias) = (floats(weight, weight_layout)?, floats(bias, bias_layout)?);
        let mut out = floats(x, x_layout)?.to_vec();
        for row in out.chunks_exact_mut(weight.len()) {
            let (mean, scale) = self.moments(row);
            for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
                *x = (*x - mean) * scale * weight + bias;
            }
        }
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    /// With y = (x - mean) s: dx = s (g w - mean(g w) - y mean(g w y)), dw = sum of g y, db = sum
    /// of g.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (mut of_x, w, gradient) = (to_floats(x)?, to_floats(weight)?, to_floats(gradient)?);
        let (width, n) = (w.len(), w.len() as f32);
        let (mut of_weight, mut of_bias) = (vec![0f32; width], vec![0f32; width]);
        for (row, gradient) in of_x.chunks_exact_mut(width).zip(gradient.chunks_exact(width)) {
            let (mean, scale) = self.moments(row);
            let (mut sum, mut sum_y) = (0f32, 0f32);
            for i in 0..width {
                let y = (row[i] - mean) * scale;
                of_weight[i] += gradient[i] * y;
                of_bias[i] += gradient[i];
                sum += gradient[i] * w[i];
                sum_y += gradient[i] * w[i] * y;
                row[i] = y;
            }
            for i in 0..width {
                row[i] = scale * (gradient[i] * w[i] - sum / n - row[i] * sum_y / n);
            }
        }
        let tensor = |values: Vec<f32>, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        Ok((Some(tensor(of_x, x)?), Some(tensor(of_weight, weight)?), Some(tensor(of_bias, weight)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn var(shape: &[usize], seed: u64) -> Var {
        let mut random = laser_example::SplitMix64::new(seed);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect();
        Var::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn worst(a: &Tensor, b: &Tensor) -> f32 {
        let (a, b) = (to_floats(a).unwrap(), to_floats(b).unwrap());
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_convolution_and_its_gradient_are_candles() {
        let (x, weight) = (var(&[2, SEEN, 3], 1), var(&[5, 3, 3, 3], 2));
        let matrix = weight.reshape((5, 3, 9)).unwrap().permute((2, 1, 0)).unwrap().reshape((27, 5)).unwrap();
        let ours = neighbourhoods(&x).unwrap().matmul(&matrix).unwrap();
        let picture = x.reshape((2, INNER, INNER, 3)).unwrap().permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let theirs = picture.conv2d(&weight, 1, 1, 1, 1).unwrap().permute((0, 2, 3, 1)).unwrap();
        assert!(worst(&ours, &theirs) < 1e-5);
        let (ours, theirs) = (ours.sqr().unwrap().backward().unwrap(), theirs.sqr().unwrap().backward().unwrap());
        for var in [&x, &weight] {
            assert!(worst(ours.get(var).unwrap(), theirs.get(var).unwrap()) < 1e-3);
        }
    }

    #[test]
    fn a_norm_and_its_gradient_are_those_of_the_plain_operations() {
        let (x, weight, bias, factor) = (var(&[7, 16], 1), var(&[16], 2), var(&[16], 3), var(&[7, 16], 4));
        let ours = layer_norm(&x, &weight, &bias, 1e-5).unwrap();
        let centred = x.broadcast_sub(&x.mean_keepdim(1).unwrap()).unwrap();
        let deviation = (centred.sqr().unwrap().mean_keepdim(1).unwrap() + 1e-5).unwrap().sqrt().unwrap();
        let theirs = centred.broadcast_div(&deviation).unwrap();
        let theirs = theirs.broadcast_mul(&weight).unwrap().broadcast_add(&bias).unwrap();
        assert!(worst(&ours, &theirs) < 1e-5);
        let back = |y: Tensor| y.mul(&factor).unwrap().backward().unwrap();
        let (ours, theirs) = (back(ours), back(theirs));
        for var in [&x, &weight, &bias] {
            assert!(worst(ours.get(var).unwrap(), theirs.get(var).unwrap()) < 1e-4);
        }
    }
}
