//! Attention of every query with every row at once, under a mask.

use crate::kv_indices::KvIndices;
use crate::parts::AttentionScores;
use candle_core::{D, Result, Tensor};

/// softmax(scores(q k')) v for each query head, by operations that have gradients.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    attended: &KvIndices,
    head_dim: usize,
    scores: AttentionScores,
) -> Result<Tensor> {
    let AttentionScores { scale, softcap, .. } = scores;
    let ((queries, q_width), (rows, kv_width)) = (q.dims2()?, k.dims2()?);
    let (kv_heads, group) = (kv_width / head_dim, q_width / kv_width);
    let slopes = scores.slopes(q_width / head_dim);
    let mut mask = vec![f32::NEG_INFINITY; queries * rows];
    for query in 0..queries {
        for &row in attended.of(query) {
            mask[query * rows + row as usize] = 0.0;
        }
    }
    let mask = Tensor::from_vec(mask, (1, 1, queries, rows), q.device())?;
    // [kv head, member of its group, query or row, head_dim]
    let q = q.reshape((queries, kv_heads, group, head_dim))?.permute((1, 2, 0, 3))?.contiguous()?;
    let each = |x: &Tensor| {
        let x = x.reshape((rows, kv_heads, 1, head_dim))?.permute((1, 2, 0, 3))?;
        x.broadcast_as((kv_heads, group, rows, head_dim))?.contiguous()
    };
    let scores = (q.matmul(&each(k)?.transpose(2, 3)?.contiguous()?)? * f64::from(scale))?;
    let scores = match softcap {
        Some(cap) => ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?,
        None => scores,
    };
    let scores = match &slopes {
        Some(slopes) => {
            let mut distances = vec![0f32; queries * rows];
            for query in 0..queries {
                for (away, &row) in attended.of(query).iter().rev().enumerate() {
                    distances[query * rows + row as usize] = away as f32;
                }
            }
            let slopes = Tensor::from_slice(slopes, (kv_heads, group, 1, 1), q.device())?;
            let distances = Tensor::from_vec(distances, (1, 1, queries, rows), q.device())?;
            scores.sub(&slopes.broadcast_mul(&distances)?)?
        }
        None => scores,
    };
    let scores = scores.broadcast_add(&mask)?;
    let weights = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1)?)?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    weights.matmul(&each(v)?)?.permute((2, 0, 1, 3))?.contiguous()?.reshape((queries, q_width))
}
