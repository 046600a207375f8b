//! One transformer block: attention and an MLP, with their norms, added to the residual stream.

use crate::batch::Batch;
use crate::cache::KeyValueCache;
use crate::kernels::{Scores, add, attention};
use crate::layers::{Linear, Mlp, NormLayer, Place, normed};
use crate::mixture::Mixture;
use crate::rotary::Rotation;
use crate::{Error, Result};
use candle_core::{Device, Tensor, Var};
use laser_checkpoint::{Checkpoint, MatrixId, MatrixKind, Residual, Slot};
use laser_linalg::Matrix;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// The weights of one layer. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Block {
    residual: Residual,
    head_dim: usize,
    /// How many tokens a token attends to, where it is not all.
    window: Option<usize>,
    scores: Scores,
    attention_norm: Option<NormLayer>,
    query_norm: Option<NormLayer>,
    key_norm: Option<NormLayer>,
    attention_output_norm: Option<NormLayer>,
    mlp_norm: Option<NormLayer>,
    mlp_output_norm: Option<NormLayer>,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    mlp: FeedForward,
}

#[derive(Debug, Clone)]
enum FeedForward {
    Dense(Mlp),
    Mixture(Mixture),
}

impl Block {
    /// Reads layer `layer` from a checkpoint.
    pub(crate) fn load(checkpoint: &Arc<Checkpoint>, layer: usize, place: Place, device: &Device) -> Result<Self> {
        let config = checkpoint.config();
        let read = |matrix: &MatrixId| -> Result<(MatrixId, Linear)> {
            Ok((*matrix, Linear::load(checkpoint, layer, *matrix, place, device)?))
        };
        let matrices: Vec<MatrixId> =
            config.matrices.iter().flat_map(|&kind| MatrixId::from(kind).each(config)).collect();
        let mut read: HashMap<MatrixId, Linear> = matrices.par_iter().map(read).collect::<Result<_>>()?;
        let mut take =
            |matrix: MatrixId| read.remove(&matrix).ok_or_else(|| Error::Model { why: format!("it has no {matrix}") });
        let norm = |slot| NormLayer::load(checkpoint, slot, layer, device);
        let mlp = match config.experts {
            None => FeedForward::Dense(Mlp::of(config, &mut take, None)?),
            Some(experts) => FeedForward::Mixture(Mixture {
                router: Linear::new(&checkpoint.router(layer)?, None, device)?,
                experts: (0..experts.count)
                    .map(|expert| Mlp::of(config, &mut take, Some(expert)))
                    .collect::<Result<_>>()?,
                config: experts,
            }),
        };
        Ok(Self {
            residual: config.residual,
            head_dim: config.head_dim,
            window: config.windows.get(layer).copied().flatten(),
            scores: Scores {
                scale: config.attention_scale as f32,
                softcap: config.attention_softcap.map(|cap| cap as f32),
            },
            attention_norm: norm(Slot::AttentionNorm)?,
            query_norm: norm(Slot::QueryNorm)?,
            key_norm: norm(Slot::KeyNorm)?,
            attention_output_norm: norm(Slot::AttentionOutputNorm)?,
            mlp_norm: norm(Slot::MlpNorm)?,
            mlp_output_norm: norm(Slot::MlpOutputNorm)?,
            q_proj: take(MatrixKind::QProj.into())?,
            k_proj: take(MatrixKind::KProj.into())?,
            v_proj: take(MatrixKind::VProj.into())?,
            out_proj: take(MatrixKind::OutProj.into())?,
            mlp,
        })
    }

    /// The block's output for `x [rows, hidden]`, one row for each query of `batch`. The rows' keys and values are
    /// put in their places of `cache` first; the batch's contexts are row numbers of that cache.
    pub fn forward(&self, x: &Tensor, batch: &Batch, cache: &mut KeyValueCache) -> Result<Tensor> {
        let residual = batch.queries(x)?;
        match self.residual {
            Residual::Pre => {
                let attended = self.attend(&normed(&self.attention_norm, x)?, batch, cache)?;
                let x = add(&residual, &normed(&self.attention_output_norm, &attended)?)?;
                let fed = self.feed(&normed(&self.mlp_norm, &x)?)?;
                Ok(add(&x, &normed(&self.mlp_output_norm, &fed)?)?)
            }
            Residual::Post => {
                let attended = self.attend(x, batch, cache)?;
                let x = normed(&self.attention_norm, &add(&residual, &attended)?)?;
                let fed = self.feed(&x)?;
                Ok(normed(&self.mlp_norm, &add(&x, &fed)?)?)
            }
            Residual::Parallel => {
                let input = normed(&self.attention_norm, x)?;
                let attended = self.attend(&input, batch, cache)?;
                let fed = match &self.mlp_norm {
                    Some(norm) => self.feed(&norm.forward(&residual)?)?,
                    None => self.feed(&batch.queries(&input)?)?,
                };
                Ok(add(&add(&residual, &attended)?, &fed)?)
            }
        }
    }

    fn attend(&self, x: &Tensor, batch: &Batch, cache: &mut KeyValueCache) -> Result<Tensor> {
        let prepare = |x: Tensor, norm: &Option<NormLayer>, rotation: Option<&Rotation>| -> Result<Tensor> {
            let x = match norm {
                Some(norm) => norm.forward_in_pieces(&x)?,
                None => x,
            };
            match rotation {
                Some(rotation) => Ok(rotation.turn(&x, self.head_dim)?),
                None => Ok(x),
            }
        };
        let q = self.q_proj.forward(&batch.queries(x)?)?;
        let q = prepare(q, &self.query_norm, batch.query_rotation(self.window))?;
        let k = prepare(self.k_proj.forward(x)?, &self.key_norm, batch.rotation(self.window))?;
        let v = self.v_proj.forward(x)?;
        // Where gradients are wanted, the rows see each other only: what is written to a cache has none.
        let (keys, values) = if k.track_op() || v.track_op() {
            (&k, &v)
        } else {
            cache.write(batch.rows(), &k, &v)?;
            cache.tensors()
        };
        let mixed = attention(&q, keys, values, batch.context(self.window), self.head_dim, self.scores)?;
        self.out_proj.forward(&mixed)
    }

    fn feed(&self, x: &Tensor) -> Result<Tensor> {
        match &self.mlp {
            FeedForward::Dense(mlp) => mlp.forward(x),
            FeedForward::Mixture(mixture) => mixture.forward(x),
        }
    }

    /// Puts `matrix`, `[outputs, inputs]`, in place of one of the block's.
    pub(crate) fn replace(&mut self, id: MatrixId, matrix: &Matrix, device: &Device) -> Result<()> {
        let old = self.matrix(id).ok_or_else(|| Error::Model { why: format!("it has no {id}") })?;
        *old = old.with(matrix, device)?;
        Ok(())
    }

    /// A copy that gradients go through, whose `matrices` are variables, each `[inputs, outputs]`.
    pub(crate) fn tracked(&self, matrices: &[MatrixId], device: &Device) -> Result<(Self, Vec<(MatrixId, Var)>)> {
        let (mut block, mut variables) = (self.clone(), Vec::with_capacity(matrices.len()));
        for linear in block.matrices() {
            *linear = linear.differentiable(device)?;
        }
        for &id in matrices {
            let linear = block.matrix(id).ok_or_else(|| Error::Model { why: format!("it has no {id}") })?;
            let variable;
            (*linear, variable) = linear.tracked(device)?;
            variables.push((id, variable));
        }
        Ok((block, variables))
    }

    /// A copy whose matrices are in bf16; none where they are not in memory.
    pub(crate) fn rounded(&self, matrices: &[MatrixId]) -> Result<Option<Self>> {
        let mut block = self.clone();
        for &id in matrices {
            let linear = block.matrix(id).ok_or_else(|| Error::Model { why: format!("it has no {id}") })?;
            let Some(rounded) = linear.rounded() else { return Ok(None) };
            *linear = rounded;
        }
        Ok(Some(block))
    }

    fn matrices(&mut self) -> impl Iterator<Item = &mut Linear> {
        let mlps = match &mut self.mlp {
            FeedForward::Dense(mlp) => std::slice::from_mut(mlp),
            FeedForward::Mixture(mixture) => &mut mixture.experts[..],
        };
        [&mut self.q_proj, &mut self.k_proj, &mut self.v_proj, &mut self.out_proj]
            .into_iter()
            .chain(mlps.iter_mut().flat_map(Mlp::matrices))
    }

    fn matrix(&mut self, id: MatrixId) -> Option<&mut Linear> {
        match (id.kind, &mut self.mlp) {
            (MatrixKind::QProj, _) => Some(&mut self.q_proj),
            (MatrixKind::KProj, _) => Some(&mut self.k_proj),
            (MatrixKind::VProj, _) => Some(&mut self.v_proj),
            (MatrixKind::OutProj, _) => Some(&mut self.out_proj),
            (kind, FeedForward::Dense(mlp)) => mlp.matrix(kind),
            (kind, FeedForward::Mixture(mixture)) => mixture.experts.get_mut(id.expert?)?.matrix(kind),
        }
    }
}
