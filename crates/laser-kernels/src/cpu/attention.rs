//! Grouped-query attention over rows that are not laid out as rectangles.

use super::fill::filled;
use super::vector;
use crate::error::{Error, Result};
use crate::kv_indices::KvIndices;
use crate::parts::AttentionScores;

/// softmax(scores(q k')) v for each query head, for row-major `q [queries, q_width]`, `k` and `v`
/// `[cache rows, kv_width]`.
pub fn attention(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    indices: &KvIndices,
    heads: Heads,
    scores: AttentionScores,
) -> Result<Vec<f32>> {
    let Heads { head_dim, kv_width, q_width } = heads;
    let unlike =
        head_dim == 0 || kv_width == 0 || !kv_width.is_multiple_of(head_dim) || !q_width.is_multiple_of(kv_width);
    let cache_rows = if unlike { 0 } else { k.len().min(v.len()) / kv_width };
    let outside = || indices.rows().iter().any(|&row| row as usize >= cache_rows);
    if unlike || q.len() != indices.len() * q_width || outside() {
        let why = format!(
            "what {} queries see does not fit {} values in {heads:?} and {cache_rows} cache rows",
            indices.len(),
            q.len()
        );
        return Err(Error::Operands { op: "attention", why });
    }
    let slopes = scores.slopes(q_width / head_dim).unwrap_or_default();
    let block = QUERIES * q_width;
    Ok(filled(q.len(), block, |number, out| {
        let q = &q[number * block..][..out.len()];
        let rows: Vec<&[u32]> = (0..q.len() / q_width).map(|i| indices.of(number * QUERIES + i)).collect();
        vector::dispatch(
            #[inline(always)]
            || attend(q, k, v, &rows, heads, scores, &slopes, &mut Vec::new(), out),
        );
    }))
}

/// The score of a product.
#[inline(always)]
fn score(scores: AttentionScores, product: f32) -> f32 {
    let score = product * scores.scale;
    match scores.softcap {
        Some(cap) => cap * vector::tanh(score / cap),
        None => score,
    }
}

/// Queries that are computed together: neighbours mostly see the same rows, which are then read
/// from memory once.
const QUERIES: usize = 8;
/// Rows that all of these queries go through before the next ones.
const ROWS: usize = 64;

/// How the heads lie in a row, in elements.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Of a head.
    pub head_dim: usize,
    /// Of a row of keys or values.
    pub kv_width: usize,
    /// Of a row of queries.
    pub q_width: usize,
}

/// All heads of some queries, which see `rows`. Each result depends on its own query and rows
/// alone, taken in order.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel and its operands
fn attend(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    rows: &[&[u32]],
    heads: Heads,
    score_of: AttentionScores,
    slopes: &[f32],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let Heads { head_dim, kv_width, q_width } = heads;
    let group = q_width / kv_width;
    let longest = rows.iter().map(|rows| rows.len()).max().unwrap_or(0);
    // [query, member of the group, row]
    scores.clear();
    scores.resize(rows.len() * group * longest, 0.0);
    for kv_head in 0..kv_width / head_dim {
        let (keys, values) = (&k[kv_head * head_dim..], &v[kv_head * head_dim..]);
        let head = |query: usize, member: usize| query * q_width + (kv_head * group + member) * head_dim;
        for start in (0..longest).step_by(ROWS) {
            for (query, rows) in rows.iter().enumerate().filter(|(_, rows)| rows.len() > start) {
                let last = rows.len() - 1;
                let rows = &rows[start..rows.len().min(start + ROWS)];
                for member in 0..group {
                    let scores = &mut scores[(query * group + member) * longest + start..][..rows.len()];
                    vector::dots(&q[head(query, member)..][..head_dim], keys, kv_width, rows, scores);
                    for product in scores.iter_mut() {
                        *product = score(score_of, *product);
                    }
                    if let Some(slope) = slopes.get(kv_head * group + member) {
                        for (i, score) in scores.iter_mut().enumerate() {
                            *score -= slope * (last - start - i) as f32;
                        }
                    }
                }
            }
        }
        for (query, rows) in rows.iter().enumerate() {
            for member in 0..group {
                softmax(&mut scores[(query * group + member) * longest..][..rows.len()]);
            }
        }
        for start in (0..longest).step_by(ROWS) {
            for (query, rows) in rows.iter().enumerate().filter(|(_, rows)| rows.len() > start) {
                let rows = &rows[start..rows.len().min(start + ROWS)];
                for member in 0..group {
                    let weights = &scores[(query * group + member) * longest + start..][..rows.len()];
                    let out = &mut out[head(query, member)..][..head_dim];
                    match head_dim {
                        64 => weigh_fixed::<64>(weights, values, rows, kv_width, out),
                        128 => weigh_fixed::<128>(weights, values, rows, kv_width, out),
                        _ => weigh(weights, values, rows, kv_width, out),
                    }
                }
            }
        }
    }
}

/// Scores to weights that sum to 1.
#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let max = vector::max(scores);
    for score in scores.iter_mut() {
        *score = vector::exp(*score - max);
    }
    let sum = vector::sum(scores);
    for score in scores.iter_mut() {
        *score /= sum;
    }
}

/// out += Σ weightᵢ valueᵢ, in the order of the rows.
#[inline(always)]
fn weigh(weights: &[f32], values: &[f32], rows: &[u32], kv_width: usize, out: &mut [f32]) {
    for (&weight, &row) in weights.iter().zip(rows) {
        vector::axpy(weight, &values[row as usize * kv_width..][..out.len()], out);
    }
}

/// The same for a head of a size that is known beforehand: its sums then stay in registers.
#[inline(always)]
fn weigh_fixed<const SIZE: usize>(weights: &[f32], values: &[f32], rows: &[u32], kv_width: usize, out: &mut [f32]) {
    let Some(out) = out.first_chunk_mut::<SIZE>() else { return };
    let mut sums = *out;
    for (&weight, &row) in weights.iter().zip(rows) {
        vector::axpy(weight, &values[row as usize * kv_width..][..SIZE], &mut sums);
    }
    *out = sums;
}
