//! Grouped-query attention over rows that are not laid out as rectangles.
//!
//! Each query names the cache rows that it may look at, so one call serves sequences of any lengths, shared prefixes,
//! and single new tokens, with no padding and no mask.

use super::vector;
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Which rows of a key/value cache each query attends to, in order of position, its own row last.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Query `i` owns `rows[ends[i - 1]..ends[i]]`.
    ends: Vec<usize>,
    rows: Vec<u32>,
}

impl Context {
    /// Adds a query that sees `rows`.
    pub fn push(&mut self, rows: impl IntoIterator<Item = u32>) {
        self.rows.extend(rows);
        self.ends.push(self.rows.len());
    }

    /// The number of queries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no query.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The part that concerns the queries `range`.
    pub fn slice(&self, range: Range<usize>) -> Context {
        let start = range.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let ends: Vec<usize> = self.ends[range].iter().map(|end| end - start).collect();
        let end = start + ends.last().copied().unwrap_or(0);
        Context { ends, rows: self.rows[start..end].to_vec() }
    }

    /// The queries with these numbers.
    pub fn select(&self, queries: &[u32]) -> Context {
        let mut selected = Context::default();
        for &query in queries {
            selected.push(self.of(query as usize).iter().copied());
        }
        selected
    }

    /// Each query sees only the last `window` of its rows.
    pub fn nearest(&self, window: usize) -> Context {
        let mut nearest = Context::default();
        for query in 0..self.len() {
            let rows = self.of(query);
            nearest.push(rows[rows.len().saturating_sub(window)..].iter().copied());
        }
        nearest
    }

    fn of(&self, query: usize) -> &[u32] {
        let start = query.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[start..self.ends[query]]
    }

    fn longest(&self) -> usize {
        (0..self.len()).map(|query| self.of(query).len()).max().unwrap_or(0)
    }
}

/// How a query's scores are made of its products with the keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// What products are multiplied by, usually 1 / √head_dim.
    pub scale: f32,
    /// Then a score s becomes cap * tanh(s / cap).
    pub softcap: Option<f32>,
}

impl Scores {
    #[inline(always)]
    fn of(self, product: f32) -> f32 {
        let score = product * self.scale;
        match self.softcap {
            Some(cap) => cap * vector::tanh(score / cap),
            None => score,
        }
    }
}

/// softmax(scores(q kᵀ)) v for each query head; `heads / kv_heads` neighbouring query heads share a key/value head.
///
/// `q` is `[queries, heads * head_dim]`, `k` and `v` are `[cache rows, kv_heads * head_dim]`; the result has `q`'s shape.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    context: &Arc<Context>,
    head_dim: usize,
    scores: Scores,
) -> Result<Tensor> {
    if q.track_op() {
        tracked(q, k, v, context, head_dim, scores)
    } else if q.device().is_cpu() {
        q.apply_op3_no_bwd(k, v, &Attention { context: context.clone(), head_dim, scores })
    } else {
        composed(q, k, v, context, head_dim, scores)
    }
}

struct Attention {
    context: Arc<Context>,
    head_dim: usize,
    scores: Scores,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (queries, q_width) = q_layout.shape().dims2()?;
        let (cache_rows, kv_width) = k_layout.shape().dims2()?;
        let visible = &self.context.rows;
        if queries != self.context.len() || visible.iter().any(|&row| row as usize >= cache_rows) {
            candle_core::bail!("attention: the context does not fit {queries} queries and {cache_rows} cache rows");
        }
        let q = super::contiguous("attention", q, q_layout)?;
        let k = super::contiguous("attention", k, k_layout)?;
        let v = super::contiguous("attention", v, v_layout)?;
        let block = QUERIES * q_width;
        let out = super::filled(q.len(), block, |number, out| {
            let q = &q[number * block..][..out.len()];
            let heads = Heads { head_dim: self.head_dim, kv_width, q_width };
            let rows: Vec<&[u32]> = (0..q.len() / q_width).map(|i| self.context.of(number * QUERIES + i)).collect();
            vector::dispatch(
                #[inline(always)]
                || attend(q, k, v, &rows, heads, self.scores, &mut Vec::new(), out),
            );
        });
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }
}

/// Queries that are computed together: neighbours mostly see the same rows, which are then read from memory once.
const QUERIES: usize = 8;
/// Rows that all of these queries go through before the next ones.
const ROWS: usize = 64;

/// How the heads lie in a row, in elements.
#[derive(Clone, Copy)]
struct Heads {
    head_dim: usize,
    kv_width: usize,
    q_width: usize,
}

/// All heads of some queries, which see `rows`. Each result depends on its own query and rows alone, taken in order.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel and its operands
fn attend(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    rows: &[&[u32]],
    heads: Heads,
    score_of: Scores,
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
                let rows = &rows[start..rows.len().min(start + ROWS)];
                for member in 0..group {
                    let scores = &mut scores[(query * group + member) * longest + start..][..rows.len()];
                    vector::dots(&q[head(query, member)..][..head_dim], keys, kv_width, rows, scores);
                    for score in scores.iter_mut() {
                        *score = score_of.of(*score);
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

/// The same by candle's operations, for devices that we have no kernel for: contexts are gathered and padded to the
/// longest, a bounded number of queries at a time.
fn composed(q: &Tensor, k: &Tensor, v: &Tensor, context: &Context, head_dim: usize, scores: Scores) -> Result<Tensor> {
    let Scores { scale, softcap } = scores;
    /// Gathered key elements that are held at a time.
    const GATHERED: usize = 1 << 26;
    let (queries, q_width) = q.dims2()?;
    let kv_width = k.dim(1)?;
    let (kv_heads, group) = (kv_width / head_dim, q_width / kv_width);
    let longest = context.longest().max(1);
    let step = (GATHERED / (longest * kv_width)).max(1);
    let mut parts = Vec::new();
    for start in (0..queries).step_by(step) {
        let n = step.min(queries - start);
        let (mut rows, mut mask) = (vec![0u32; n * longest], vec![f32::NEG_INFINITY; n * longest]);
        for i in 0..n {
            let seen = context.of(start + i);
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
        let scores = scores.broadcast_add(&mask)?;
        let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
        parts.push(weights.matmul(&gather(v)?)?.reshape((n, q_width))?);
    }
    Tensor::cat(&parts, 0)
}

/// The same by operations that have gradients, every query with every row at once.
fn tracked(q: &Tensor, k: &Tensor, v: &Tensor, context: &Context, head_dim: usize, scores: Scores) -> Result<Tensor> {
    let Scores { scale, softcap } = scores;
    let ((queries, q_width), (rows, kv_width)) = (q.dims2()?, k.dims2()?);
    let (kv_heads, group) = (kv_width / head_dim, q_width / kv_width);
    let mut mask = vec![f32::NEG_INFINITY; queries * rows];
    for query in 0..queries {
        for &row in context.of(query) {
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
    let scores = scores.broadcast_add(&mask)?;
    let weights = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1)?)?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    weights.matmul(&each(v)?)?.permute((2, 0, 1, 3))?.contiguous()?.reshape((queries, q_width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn kernel_and_composed_operations_agree() {
        for (heads, kv_heads, head_dim, softcap) in
            [(4, 2, 12, None), (9, 3, 64, None), (2, 2, 32, Some(2.0)), (3, 1, 6, Some(0.5))]
        {
            let scores = Scores { scale: 1.0 / (head_dim as f32).sqrt(), softcap };
            let device = Device::Cpu;
            let q = Tensor::randn(0f32, 1.0, (5, heads * head_dim), &device).unwrap();
            let k = Tensor::randn(0f32, 1.0, (11, kv_heads * head_dim), &device).unwrap();
            let v = Tensor::randn(0f32, 1.0, (11, kv_heads * head_dim), &device).unwrap();
            let mut context = Context::default();
            for rows in [&[0u32][..], &[0, 1, 2], &[3, 7, 10, 4], &[5], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]] {
                context.push(rows.iter().copied());
            }
            let expected = composed(&q, &k, &v, &context, head_dim, scores).unwrap();
            let found = attention(&q, &k, &v, &Arc::new(context.clone()), head_dim, scores).unwrap();
            let difference =
                (found.clone() - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(difference < 1e-5, "{difference}");

            let rows = attention(
                candle_core::Var::from_tensor(&q).unwrap().as_tensor(),
                &k,
                &v,
                &Arc::new(context.clone()),
                head_dim,
                scores,
            )
            .unwrap();
            let difference = (rows - &found).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(difference < 1e-5, "with gradients: {difference}");

            let part = attention(&q.narrow(0, 2, 2).unwrap(), &k, &v, &Arc::new(context.slice(2..4)), head_dim, scores)
                .unwrap();
            assert_eq!(part.to_vec2::<f32>().unwrap(), found.narrow(0, 2, 2).unwrap().to_vec2::<f32>().unwrap());
        }
    }

    #[test]
    fn a_context_beyond_the_cache_is_an_error() {
        let t = |rows| Tensor::zeros((rows, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
        let mut context = Context::default();
        context.push([0, 3]);
        let scores = Scores { scale: 0.5, softcap: None };
        assert!(attention(&t(1), &t(3), &t(3), &Arc::new(context), 4, scores).is_err());
    }
}
