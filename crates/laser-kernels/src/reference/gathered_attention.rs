//! Attention over rows that are gathered for each query and padded to the longest, a bounded number
//! of queries at a time.

use crate::kv_indices::KvIndices;
use crate::parts::AttentionScores;
use candle_core::{D, Result, Tensor};

/// Gathered key elements that are held at a time.
const GATHERED: usize = 1 << 26;

/// softmax(scores(q k')) v for each query head.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    attended: &KvIndices,
    head_dim: usize,
    scores: AttentionScores,
) -> Result<Tensor> {
    let AttentionScores { scale, softcap, .. } = scores;
    let (queries, q_width) = q.dims2()?;
    let kv_width = k.dim(1)?;
    let (kv_heads, group) = (kv_width / head_dim, q_width / kv_width);
    let slopes = scores.slopes(q_width / head_dim);
    let longest = attended.longest().max(1);
    let step = (GATHERED / (longest * kv_width)).max(1);
    let mut parts = Vec::new();
    for start in (0..queries).step_by(step) {
        let n = step.min(queries - start);
        let (mut rows, mut mask) = (vec![0u32; n * longest], vec![f32::NEG_INFINITY; n * longest]);
        for i in 0..n {
            let seen = attended.of(start + i);
            rows[i * longest..][..seen.len()].copy_from_slice(seen);
            mask[i * longest..][..seen.len()].fill(0.0);
        }
        let rows = Tensor::from_vec(rows, n * longest, q.device())?;
        let mask = Tensor::from_vec(mask, (n, 1, 1, longest), q.device())?;
        let gather = |cache: &Tensor| {
            cache.index_select(&rows, 0)?.reshape((n, longest, kv_heads, head_dim))?.transpose(1, 2)?.contiguous()
        };
        let q = q.narrow(0, start, n)?.reshape((n, kv_heads, group, head_dim))?.contiguous()?;
        let scores = (q.matmul(&gather(k)?.transpose(2, 3)?.contiguous()?)? * f64::from(scale))?;
        let scores = match softcap {
            Some(cap) => ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?,
            None => scores,
        };
        let scores = match &slopes {
            Some(slopes) => {
                let mut distances = vec![0f32; n * longest];
                for i in 0..n {
                    let away = (0..attended.of(start + i).len()).rev().map(|away| away as f32);
                    distances[i * longest..].iter_mut().zip(away).for_each(|(distance, away)| *distance = away);
                }
                let slopes = Tensor::from_slice(slopes, (1, kv_heads, group, 1), q.device())?;
                let distances = Tensor::from_vec(distances, (n, 1, 1, longest), q.device())?;
                scores.sub(&slopes.broadcast_mul(&distances)?)?
            }
            None => scores,
        };
        let scores = scores.broadcast_add(&mask)?;
        let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
        parts.push(weights.matmul(&gather(v)?)?.reshape((n, q_width))?);
    }
    Tensor::cat(&parts, 0)
}
