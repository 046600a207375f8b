//! One layer over rows of a model and of edited copies of it, together.

use crate::Result;
use crate::batch::Batch;
use crate::block::{Block, FeedForward};
use crate::cache::KeyValueCache;
use crate::loading::normed;
use crate::shared_expert::SharedExpert;
use laser_checkpoint::Residual;
use laser_kernels::{Backend, LinearOn, MixtureOn, MlpOn, NormOn, OverRangesOn, RotationOn};
use std::ops::Range;
use std::sync::Arc;

/// A layer of some models that differ in some matrices only: all else is done for all
/// rows at once, and a product once for each matrix that there is.
pub(crate) struct Layer<'m, B: Backend> {
    backend: &'m B,
    /// For all that is the same in all of them.
    block: &'m Block<B>,
    batch: &'m Batch<B>,
    /// Which rows are whose, in order.
    rows: Vec<(&'m Block<B>, Range<usize>)>,
    /// The same of the rows that come out.
    queries: Vec<(&'m Block<B>, Range<usize>)>,
}

impl<'m, B: Backend> Layer<'m, B> {
    /// A layer whose rows all go through `block`.
    pub fn of(backend: &'m B, block: &'m Block<B>, batch: &'m Batch<B>) -> Self {
        Self { backend, block, batch, rows: Vec::new(), queries: Vec::new() }
    }

    /// A layer of which each block has so many of the batch's rows, one block after the other; none if these are not all rows.
    pub fn of_many(
        backend: &'m B,
        blocks: impl IntoIterator<Item = (&'m Block<B>, usize)>,
        batch: &'m Batch<B>,
    ) -> Option<Self> {
        let (mut rows, mut end) = (Vec::new(), 0);
        for (block, count) in blocks {
            rows.push((block, end..end + count));
            end += count;
        }
        if end != batch.rows() {
            return None;
        }
        let queries = rows.iter().map(|(block, rows)| (*block, batch.queries_of(rows.clone()))).collect();
        Some(Self { backend, block: rows.first()?.0, batch, rows, queries })
    }

    /// The layer's output for `x [rows, hidden]`, one row for each query of the batch. The rows' keys
    /// and values are put in their places of `cache` first; the batch's indices are row numbers of
    /// that cache.
    pub fn forward(&self, x: &B::Rows, cache: &mut KeyValueCache<B>) -> Result<B::Rows> {
        let (backend, block, batch) = (self.backend, self.block, self.batch);
        let residual = batch.queries(x)?;
        match block.residual {
            Residual::Pre => {
                let attended = self.attend(&normed(backend, &block.attention_norm, x)?, cache)?;
                let x = self.added(&residual, &normed(backend, &block.attention_output_norm, &attended)?)?;
                let fed = self.feed(&normed(backend, &block.mlp_norm, &x)?)?;
                self.added(&x, &normed(backend, &block.mlp_output_norm, &fed)?)
            }
            Residual::Post => {
                let attended = self.attend(x, cache)?;
                let x = normed(backend, &block.attention_norm, &self.added(&residual, &attended)?)?;
                let fed = self.feed(&x)?;
                normed(backend, &block.mlp_norm, &self.added(&x, &fed)?)
            }
            Residual::Parallel => {
                let input = normed(backend, &block.attention_norm, x)?;
                let attended = self.attend(&input, cache)?;
                let fed = match &block.mlp_norm {
                    Some(norm) => self.feed(&backend.norm(&residual, norm)?)?,
                    None => self.feed(&batch.queries(&input)?)?,
                };
                self.added(&self.added(&residual, &attended)?, &fed)
            }
        }
    }

    /// The residual stream `x` with what attention or MLP adds to it.
    fn added(&self, x: &B::Rows, addend: &B::Rows) -> Result<B::Rows> {
        Ok(match self.block.residual_scale {
            Some(scale) => self.backend.add_scaled(x, addend, scale)?,
            None => self.backend.add(x, addend)?,
        })
    }

    fn attend(&self, x: &B::Rows, cache: &mut KeyValueCache<B>) -> Result<B::Rows> {
        let (backend, block, batch) = (self.backend, self.block, self.batch);
        let prepare = |x: B::Rows, norm: &Option<NormOn<B>>, rotation: Option<&RotationOn<B>>| -> Result<B::Rows> {
            let turned = |x: B::Rows| match rotation.filter(|_| block.rotated) {
                Some(rotation) => backend.rope(&x, rotation, block.head_dim),
                None => Ok(x),
            };
            if block.norm_after_rotary {
                return normed(backend, norm, &turned(x)?);
            }
            Ok(turned(normed(backend, norm, &x)?)?)
        };
        let q = self.linear(&batch.queries(x)?, &self.queries, |block| &block.q_proj)?;
        let q = prepare(q, &block.query_norm, batch.query_rotation(block.window))?;
        let k = self.linear(x, &self.rows, |block| &block.k_proj)?;
        let k = prepare(k, &block.key_norm, batch.rotation(block.window))?;
        let v = self.linear(x, &self.rows, |block| &block.v_proj)?;
        cache.write(batch.places(), &k, &v)?;
        let (keys, values, attended) = (cache.keys(), cache.values(), batch.attended(block.window));
        let mixed = backend.attention(&q, keys, values, attended, block.head_dim, block.scores)?;
        self.linear(&mixed, &self.queries, |block| &block.out_proj)
    }

    fn feed(&self, x: &B::Rows) -> Result<B::Rows> {
        let (backend, block) = (self.backend, self.block);
        let mixture = match &block.mlp {
            FeedForward::Dense(mlp) => return self.feed_dense(x, mlp),
            FeedForward::Mixture(mixture) => mixture,
        };
        let routed = self.route(x, mixture)?;
        let Some(SharedExpert { mlp, gate }) = &block.shared else { return Ok(routed) };
        let shared = backend.mlp(x, mlp)?;
        Ok(match gate {
            Some(gate) => backend.add(&routed, &backend.gate_rows(&shared, &backend.linear(x, gate)?)?)?,
            None => backend.add(&routed, &shared)?,
        })
    }

    fn feed_dense(&self, x: &B::Rows, first: &'m MlpOn<B>) -> Result<B::Rows> {
        let backend = self.backend;
        // A layer is of one kind in all copies of a model.
        let of = |block: &'m Block<B>| match &block.mlp {
            FeedForward::Dense(mlp) => mlp,
            FeedForward::Mixture(_) => first,
        };
        let mut with_rows = self.queries.iter().filter(|(_, range)| !range.is_empty()).map(|(block, _)| of(block));
        let first = with_rows.next().unwrap_or(first);
        if with_rows.all(|mlp| are_same::<B>(mlp, first)) {
            return Ok(backend.mlp(x, first)?);
        }
        let inner = self.linear(x, &self.queries, |block| &of(block).fc_in)?;
        let inner = match &first.fc_up {
            Some(first_up) => {
                let up = self.linear(x, &self.queries, |block| of(block).fc_up.as_ref().unwrap_or(first_up))?;
                backend.gated(&inner, &up, first.activation)?
            }
            None => backend.activate(&inner, first.activation)?,
        };
        self.linear(&inner, &self.queries, |block| &of(block).fc_out)
    }

    /// Rows through a mixture of experts; neighbours that have the same one together.
    fn route(&self, x: &B::Rows, first: &'m MixtureOn<B>) -> Result<B::Rows> {
        let of = |block: &'m Block<B>| match &block.mlp {
            FeedForward::Mixture(mixture) => mixture,
            FeedForward::Dense(_) => first,
        };
        let are_same = |a: &MixtureOn<B>, b: &MixtureOn<B>| {
            a.experts.len() == b.experts.len() && a.experts.iter().zip(&b.experts).all(|(a, b)| are_same::<B>(a, b))
        };
        let mut runs: Vec<(&MixtureOn<B>, Range<usize>)> = Vec::new();
        for (block, range) in self.queries.iter().filter(|(_, range)| !range.is_empty()) {
            match runs.last_mut() {
                Some((mixture, run)) if are_same(mixture, of(block)) => run.end = range.end,
                _ => runs.push((of(block), range.clone())),
            }
        }
        if runs.len() < 2 {
            return Ok(self.backend.mixture(x, runs.first().map_or(first, |(mixture, _)| mixture))?);
        }
        let part =
            |(mixture, run): (&MixtureOn<B>, Range<usize>)| self.backend.mixture(&self.backend.slice(x, run)?, mixture);
        let parts = runs.into_iter().map(part).collect::<laser_kernels::Result<_>>()?;
        Ok(self.backend.concat(parts)?)
    }

    /// The product of each row with the matrix of its block.
    fn linear(
        &self,
        x: &B::Rows,
        rows: &[(&'m Block<B>, Range<usize>)],
        of: impl Fn(&'m Block<B>) -> &'m LinearOn<B>,
    ) -> Result<B::Rows> {
        let mut weights: Vec<OverRangesOn<'m, B>> = Vec::new();
        for (block, range) in rows.iter().filter(|(_, range)| !range.is_empty()) {
            let linear = of(block);
            let known = weights.iter_mut().find(|(known, _)| Arc::ptr_eq(&known.weight, &linear.weight));
            match known.map(|(_, ranges)| ranges) {
                None => weights.push((linear, vec![range.clone()])),
                Some(ranges) => match ranges.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => ranges.push(range.clone()),
                },
            }
        }
        Ok(match &weights[..] {
            [] => self.backend.linear(x, of(self.block))?,
            [(linear, _)] => self.backend.linear(x, linear)?,
            _ => self.backend.linear_over_ranges(x, &weights)?,
        })
    }
}

/// Whether two MLPs are the very same.
fn are_same<B: Backend>(a: &MlpOn<B>, b: &MlpOn<B>) -> bool {
    let of = |mlp: &MlpOn<B>| {
        [Some(&mlp.fc_in), mlp.fc_up.as_ref(), Some(&mlp.fc_out)].map(|it| it.map(|it| Arc::as_ptr(&it.weight)))
    };
    of(a) == of(b)
}
