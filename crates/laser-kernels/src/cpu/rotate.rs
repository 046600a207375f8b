//! Rotary positions.

use super::fill::filled;
use crate::error::{Error, Result};
use crate::parts::RotaryPairs;

/// Rows a thread takes at a time.
const ROWS: usize = 32;

/// Turns pairs of elements of each head of `x [rows, width]`, by `cos` and `sin`, both `[rows,
/// pairs]`: of its first 2 `pairs` elements, the halves' or neighbours. The rest stays.
pub fn rotate(
    x: &[f32],
    width: usize,
    cos: &[f32],
    sin: &[f32],
    [pairs, head_dim]: [usize; 2],
    style: RotaryPairs,
) -> Result<Vec<f32>> {
    let fits = 2 * pairs <= head_dim && head_dim > 0 && width.is_multiple_of(head_dim);
    if !fits || cos.len() != sin.len() || cos.len() * width != x.len() * pairs {
        let why = format!("{} angles of {pairs} pairs do not fit {} values in heads of {head_dim}", cos.len(), x.len());
        return Err(Error::Operands { op: "rope", why });
    }
    Ok(filled(x.len(), ROWS * width, |number, y| {
        y.copy_from_slice(&x[number * ROWS * width..][..y.len()]);
        for (i, y) in y.chunks_exact_mut(width).enumerate() {
            let angles = (number * ROWS + i) * pairs;
            let (cos, sin) = (&cos[angles..][..pairs], &sin[angles..][..pairs]);
            for head in y.chunks_exact_mut(head_dim) {
                turn(head, cos, sin, style);
            }
        }
    }))
}

fn turn(head: &mut [f32], cos: &[f32], sin: &[f32], style: RotaryPairs) {
    let turned = |a: f32, b: f32, cos: f32, sin: f32| (a * cos - b * sin, a * sin + b * cos);
    match style {
        RotaryPairs::Halves => {
            let (first, second) = head.split_at_mut(cos.len());
            for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                (*a, *b) = turned(*a, *b, *cos, *sin);
            }
        }
        RotaryPairs::Neighbours => {
            for ((pair, cos), sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                [pair[0], pair[1]] = turned(pair[0], pair[1], *cos, *sin).into();
            }
        }
    }
}
