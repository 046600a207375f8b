//! The same weights on another backend, in f32.

use crate::Result;
use crate::block::{Block, FeedForward};
use crate::head::Head;
use crate::shared_expert::SharedExpert;
use laser_kernels::{Backend, Linear, LinearOn, Mixture, Mlp, MlpOn, Norm, NormOn, Precision};
use std::sync::Arc;

/// From one backend to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer<'a, B, C> {
    pub from: &'a B,
    pub to: &'a C,
}

impl<B: Backend, C: Backend> Transfer<'_, B, C> {
    /// A block's weights.
    pub fn block(&self, block: &Block<B>) -> Result<Block<C>> {
        let norm = |norm: &Option<NormOn<B>>| norm.as_ref().map(|it| self.norm(it)).transpose();
        let mlp = match &block.mlp {
            FeedForward::Dense(mlp) => FeedForward::Dense(self.mlp(mlp)?),
            FeedForward::Mixture(mixture) => FeedForward::Mixture(Mixture {
                router: self.linear(&mixture.router)?,
                choice: mixture.choice,
                experts: mixture.experts.iter().map(|expert| self.mlp(expert)).collect::<Result<_>>()?,
            }),
        };
        Ok(Block {
            residual: block.residual,
            residual_scale: block.residual_scale,
            head_dim: block.head_dim,
            window: block.window,
            rotated: block.rotated,
            norm_after_rotary: block.norm_after_rotary,
            scores: block.scores,
            attention_norm: norm(&block.attention_norm)?,
            query_norm: norm(&block.query_norm)?,
            key_norm: norm(&block.key_norm)?,
            attention_output_norm: norm(&block.attention_output_norm)?,
            mlp_norm: norm(&block.mlp_norm)?,
            mlp_output_norm: norm(&block.mlp_output_norm)?,
            q_proj: self.linear(&block.q_proj)?,
            k_proj: self.linear(&block.k_proj)?,
            v_proj: self.linear(&block.v_proj)?,
            out_proj: self.linear(&block.out_proj)?,
            mlp,
            shared: block.shared.as_ref().map(|shared| self.shared_expert(shared)).transpose()?,
        })
    }

    fn shared_expert(&self, shared: &SharedExpert<B>) -> Result<SharedExpert<C>> {
        let gate = shared.gate.as_ref().map(|gate| self.linear(gate)).transpose()?;
        Ok(SharedExpert { mlp: self.mlp(&shared.mlp)?, gate })
    }

    /// A head's weights.
    pub fn head(&self, head: &Head<B>) -> Result<Head<C>> {
        let norm = |norm: &Option<NormOn<B>>| norm.as_ref().map(|it| self.norm(it)).transpose();
        let matrix = self.from.head_to_dense(&head.output)?;
        Ok(Head {
            final_norm: norm(&head.final_norm)?,
            dense: head.dense.as_ref().map(|dense| self.linear(dense)).transpose()?,
            activation: head.activation,
            dense_norm: norm(&head.dense_norm)?,
            output: self.to.head(&matrix, head.bias.as_deref(), head.softcap)?,
            bias: head.bias.clone(),
            softcap: head.softcap,
        })
    }

    fn linear(&self, linear: &LinearOn<B>) -> Result<LinearOn<C>> {
        let bias = linear.bias.as_ref().map(|bias| self.vector(bias)).transpose()?;
        let weight = self.to.weight(&self.from.to_dense(&linear.weight)?, Precision::F32)?;
        Ok(Linear { weight: Arc::new(weight), bias })
    }

    fn norm(&self, norm: &NormOn<B>) -> Result<NormOn<C>> {
        let (weight, bias) = (self.vector(&norm.weight)?, self.vector(&norm.bias)?);
        Ok(Norm { kind: norm.kind, eps: norm.eps, weight, bias })
    }

    fn mlp(&self, mlp: &MlpOn<B>) -> Result<MlpOn<C>> {
        Ok(Mlp {
            activation: mlp.activation,
            fc_in: self.linear(&mlp.fc_in)?,
            fc_up: mlp.fc_up.as_ref().map(|fc_up| self.linear(fc_up)).transpose()?,
            fc_out: self.linear(&mlp.fc_out)?,
        })
    }

    fn vector(&self, vector: &B::Vector) -> Result<C::Vector> {
        Ok(self.to.vector(self.from.vector_to_host(vector)?)?)
    }
}
