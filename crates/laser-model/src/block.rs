//! The weights of one transformer block: attention and an MLP, with their norms.

use crate::loading::{Loader, expert_choice};
use crate::shared_expert::SharedExpert;
use crate::{Error, Result};
use laser_checkpoint::{ParamKind, Residual};
use laser_edit::{MatrixId, MatrixKind};
use laser_kernels::{AttentionScores, Backend, LinearOn, Mixture, MixtureOn, MlpOn, NormOn};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// The weights of one layer. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Block<B: Backend> {
    pub residual: Residual,
    /// What is added to the residual stream is multiplied by this.
    pub residual_scale: Option<f64>,
    pub head_dim: usize,
    /// How many tokens a token attends to, if it is not all.
    pub window: Option<usize>,
    /// Whether queries and keys turn by the rotary positions.
    pub rotated: bool,
    /// Whether they turn before they are normed.
    pub norm_after_rotary: bool,
    pub scores: AttentionScores,
    pub attention_norm: Option<NormOn<B>>,
    pub query_norm: Option<NormOn<B>>,
    pub key_norm: Option<NormOn<B>>,
    pub attention_output_norm: Option<NormOn<B>>,
    pub mlp_norm: Option<NormOn<B>>,
    pub mlp_output_norm: Option<NormOn<B>>,
    pub q_proj: LinearOn<B>,
    pub k_proj: LinearOn<B>,
    pub v_proj: LinearOn<B>,
    pub out_proj: LinearOn<B>,
    pub mlp: FeedForward<B>,
    pub shared: Option<SharedExpert<B>>,
}

/// A block's MLP, or its mixture of them.
#[derive(Debug, Clone)]
pub(crate) enum FeedForward<B: Backend> {
    Dense(MlpOn<B>),
    Mixture(MixtureOn<B>),
}

impl<B: Backend> Block<B> {
    /// Reads layer `layer`.
    pub fn load(loader: &Loader<B>, layer: usize) -> Result<Self> {
        let config = loader.config();
        let read =
            |matrix: &MatrixId| -> Result<(MatrixId, LinearOn<B>)> { Ok((*matrix, loader.matrix(layer, *matrix)?)) };
        let matrices: Vec<MatrixId> =
            config.matrices.iter().flat_map(|&kind| MatrixId::from(kind).each(config)).collect();
        let mut read: HashMap<MatrixId, LinearOn<B>> = matrices.par_iter().map(read).collect::<Result<_>>()?;
        let mut take = |matrix: MatrixId| read.remove(&matrix).ok_or_else(|| missing(matrix));
        let norm = |param| loader.norm(param, layer);
        let mlp = match config.experts {
            None => FeedForward::Dense(loader.mlp(&mut take, None)?),
            Some(experts) => FeedForward::Mixture(Mixture {
                router: loader.linear(&loader.checkpoint.router(layer)?, None)?,
                choice: expert_choice(experts),
                experts: (0..experts.count).map(|expert| loader.mlp(&mut take, Some(expert))).collect::<Result<_>>()?,
            }),
        };
        Ok(Self {
            residual: config.residual,
            residual_scale: config.residual_scale,
            head_dim: config.head_dim,
            window: config.windows.get(layer).copied().flatten(),
            rotated: config.rotated.get(layer).copied().unwrap_or(true),
            norm_after_rotary: config.query_key_norm_after_rotary,
            scores: AttentionScores {
                scale: config.attention_scale as f32,
                softcap: config.attention_softcap.map(|cap| cap as f32),
                alibi: config.alibi.map(|alibi| alibi as f32),
            },
            attention_norm: norm(ParamKind::AttentionNorm)?,
            query_norm: norm(ParamKind::QueryNorm)?,
            key_norm: norm(ParamKind::KeyNorm)?,
            attention_output_norm: norm(ParamKind::AttentionOutputNorm)?,
            mlp_norm: norm(ParamKind::MlpNorm)?,
            mlp_output_norm: norm(ParamKind::MlpOutputNorm)?,
            q_proj: take(MatrixKind::QProj.into())?,
            k_proj: take(MatrixKind::KProj.into())?,
            v_proj: take(MatrixKind::VProj.into())?,
            out_proj: take(MatrixKind::OutProj.into())?,
            mlp,
            shared: loader.shared_expert(layer)?,
        })
    }

    /// Puts `weight` in place of one of the block's.
    pub fn replace(&mut self, id: MatrixId, weight: Arc<B::Weight>) -> Result<()> {
        self.matrix(id).ok_or_else(|| missing(id))?.weight = weight;
        Ok(())
    }

    /// A copy whose `matrices` are in bf16.
    pub fn to_bf16(&self, backend: &B, matrices: &[MatrixId]) -> Result<Self> {
        let mut block = self.clone();
        for &id in matrices {
            let linear = block.matrix(id).ok_or_else(|| missing(id))?;
            linear.weight = Arc::new(backend.to_bf16(&linear.weight)?);
        }
        Ok(block)
    }

    /// One of the block's matrices.
    pub fn matrix(&mut self, id: MatrixId) -> Option<&mut LinearOn<B>> {
        match (id.kind, &mut self.mlp) {
            (MatrixKind::QProj, _) => Some(&mut self.q_proj),
            (MatrixKind::KProj, _) => Some(&mut self.k_proj),
            (MatrixKind::VProj, _) => Some(&mut self.v_proj),
            (MatrixKind::OutProj, _) => Some(&mut self.out_proj),
            (kind, FeedForward::Dense(mlp)) => of_mlp::<B>(mlp, kind),
            (kind, FeedForward::Mixture(mixture)) => of_mlp::<B>(mixture.experts.get_mut(id.expert?)?, kind),
        }
    }
}

fn of_mlp<B: Backend>(mlp: &mut MlpOn<B>, kind: MatrixKind) -> Option<&mut LinearOn<B>> {
    match kind {
        MatrixKind::FcIn => Some(&mut mlp.fc_in),
        MatrixKind::FcUp => mlp.fc_up.as_mut(),
        MatrixKind::FcOut => Some(&mut mlp.fc_out),
        MatrixKind::QProj | MatrixKind::KProj | MatrixKind::VProj | MatrixKind::OutProj => None,
    }
}

/// A matrix that the block does not have.
pub(crate) fn missing(id: MatrixId) -> Error {
    Error::Model { why: format!("it has no {id}") }
}
