//! Rotary positions, on the CPU.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use laser_checkpoint::RotaryStyle;

/// Rows a thread takes at a time.
const ROWS: usize = 32;

/// Turns pairs of elements of each head of `x [rows, heads * head_dim]`: of its first 2 n elements, for `cos` and `sin`
/// `[rows, 1, n]`, the halves' or neighbours by `style`. The rest stays.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor, style: RotaryStyle, head_dim: usize) -> Result<Tensor> {
    x.apply_op3_no_bwd(cos, sin, &Rope { style, head_dim })
}

struct Rope {
    style: RotaryStyle,
    head_dim: usize,
}

impl CustomOp3 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        cos: &CpuStorage,
        cos_layout: &Layout,
        sin: &CpuStorage,
        sin_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((rows, width), (angle_rows, _, pairs)) = (x_layout.shape().dims2()?, cos_layout.shape().dims3()?);
        if rows != angle_rows || cos_layout.shape() != sin_layout.shape() || 2 * pairs > self.head_dim {
            candle_core::bail!("rope: the angles of {angle_rows} rows x {pairs} pairs do not fit {rows} rows");
        }
        let x = super::contiguous("rope", x, x_layout)?;
        let cos = super::contiguous("rope", cos, cos_layout)?;
        let sin = super::contiguous("rope", sin, sin_layout)?;
        let y = super::filled(x.len(), ROWS * width, |number, y| {
            y.copy_from_slice(&x[number * ROWS * width..][..y.len()]);
            for (i, y) in y.chunks_exact_mut(width).enumerate() {
                let angles = (number * ROWS + i) * pairs;
                let (cos, sin) = (&cos[angles..][..pairs], &sin[angles..][..pairs]);
                for head in y.chunks_exact_mut(self.head_dim) {
                    turn(head, cos, sin, self.style);
                }
            }
        });
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }
}

fn turn(head: &mut [f32], cos: &[f32], sin: &[f32], style: RotaryStyle) {
    let turned = |a: f32, b: f32, cos: f32, sin: f32| (a * cos - b * sin, a * sin + b * cos);
    match style {
        RotaryStyle::Half => {
            let (first, second) = head.split_at_mut(cos.len());
            for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                (*a, *b) = turned(*a, *b, *cos, *sin);
            }
        }
        RotaryStyle::Interleaved => {
            for ((pair, cos), sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                [pair[0], pair[1]] = turned(pair[0], pair[1], *cos, *sin).into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn agrees_with_candle() {
        let (rows, heads, head_dim, pairs) = (70, 3, 12, 4);
        let x = Tensor::randn(0f32, 1.0, (rows, heads * head_dim), &Device::Cpu).unwrap();
        let angles = Tensor::randn(0f32, 2.0, (rows, 1, pairs), &Device::Cpu).unwrap();
        let (cos, sin) = (angles.cos().unwrap(), angles.sin().unwrap());
        for style in [RotaryStyle::Half, RotaryStyle::Interleaved] {
            let found = rope(&x, &cos, &sin, style, head_dim).unwrap().reshape((rows, heads, head_dim)).unwrap();
            let part = x.reshape((rows, heads, head_dim)).unwrap().narrow(2, 0, 2 * pairs).unwrap();
            let expected = match style {
                RotaryStyle::Half => {
                    let part = part.contiguous().unwrap().reshape((rows, 1, heads, 2 * pairs)).unwrap();
                    candle_nn::rotary_emb::rope_thd(&part, &cos, &sin).unwrap()
                }
                RotaryStyle::Interleaved => {
                    let part = part.contiguous().unwrap().reshape((rows, heads, 1, 2 * pairs)).unwrap();
                    candle_nn::rotary_emb::rope_i(&part, &cos, &sin).unwrap()
                }
            };
            let expected = expected.reshape((rows, heads, 2 * pairs)).unwrap();
            let difference = (found.narrow(2, 0, 2 * pairs).unwrap() - expected).unwrap().abs().unwrap();
            assert!(difference.max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-6, "{style:?}");
            let rest = |x: Tensor| x.narrow(2, 2 * pairs, head_dim - 2 * pairs).unwrap().flatten_all().unwrap();
            let whole = x.reshape((rows, heads, head_dim)).unwrap();
            assert_eq!(rest(found).to_vec1::<f32>().unwrap(), rest(whole).to_vec1::<f32>().unwrap());
        }
        let short = Tensor::zeros((rows - 1, 1, pairs), DType::F32, &Device::Cpu).unwrap();
        assert!(rope(&x, &short, &short, RotaryStyle::Half, head_dim).is_err());
    }
}
