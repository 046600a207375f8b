//! The parts of blocks and heads, read from a checkpoint into a backend.

use crate::shared_expert::SharedExpert;
use crate::{Error, Result};
use laser_checkpoint::{Checkpoint, CheckpointError, Config, ParamKind};
use laser_edit::{MatrixId, MatrixKind};
use laser_kernels::{
    Activation, Backend, ExpertChoice, Linear, LinearOn, Mlp, MlpOn, Norm, NormKind, NormOn, Precision, SourceError,
    WeightSource,
};
use laser_matrix::Matrix;
use std::ops::Range;
use std::sync::Arc;

/// Where a layer's matrices are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightResidency {
    Memory,
    Disk,
}

/// A checkpoint whose parts go to a backend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loader<'a, B> {
    pub backend: &'a B,
    pub checkpoint: &'a Arc<Checkpoint>,
    pub residency: WeightResidency,
}

impl<B: Backend> Loader<'_, B> {
    pub fn config(&self) -> &Config {
        self.checkpoint.config()
    }

    /// A weight matrix in memory, with its bias.
    pub fn linear(&self, matrix: &Matrix, bias: Option<Vec<f32>>) -> Result<LinearOn<B>> {
        let weight = self.backend.weight(matrix, Precision::F32)?;
        Ok(Linear { weight: Arc::new(weight), bias: bias.map(|bias| self.backend.vector(bias)).transpose()? })
    }

    /// A matrix of a layer, in memory or on disk.
    pub fn matrix(&self, layer: usize, matrix: MatrixId) -> Result<LinearOn<B>> {
        let bias = self.checkpoint.bias(ParamKind::Matrix(matrix.kind), layer, matrix.expert)?;
        let (keeps, takes) = (self.backend.keeps_factors(), self.backend.takes_factors());
        if (keeps || takes)
            && let Some(factors) = self.checkpoint.factors(layer, matrix)?
        {
            let weight = match keeps {
                true => self.backend.weight_in_factors(&factors.v().transpose(), factors.u(), Precision::F32)?,
                false => self.backend.low_rank_weight(&factors, Precision::F32)?,
            };
            let bias = bias.map(|bias| self.backend.vector(bias)).transpose()?;
            return Ok(Linear { weight: Arc::new(weight), bias });
        }
        match self.residency {
            WeightResidency::Memory => self.linear(&self.checkpoint.matrix(layer, matrix)?, bias),
            WeightResidency::Disk => {
                let source = Arc::new(OnDisk { checkpoint: self.checkpoint.clone(), layer, matrix });
                let bias = bias.map(|bias| self.backend.vector(bias)).transpose()?;
                Ok(Linear { weight: Arc::new(self.backend.weight_on_demand(source)?), bias })
            }
        }
    }

    /// A norm, if the model has it. One without weights runs over the residual stream.
    pub fn norm(&self, param: ParamKind, layer: usize) -> Result<Option<NormOn<B>>> {
        self.scaled_norm(param, layer, None)
    }

    /// The same, with what it gives multiplied by `scale`.
    pub fn scaled_norm(&self, param: ParamKind, layer: usize, scale: Option<f64>) -> Result<Option<NormOn<B>>> {
        let config = self.config();
        if !config.has(param) {
            return Ok(None);
        }
        let mut weight = self.checkpoint.norm(param, layer)?.unwrap_or_else(|| vec![1.0; config.hidden_size]);
        let mut bias = self.checkpoint.bias(param, layer, None)?.unwrap_or_else(|| vec![0.0; weight.len()]);
        if let Some(scale) = scale {
            weight.iter_mut().chain(&mut bias).for_each(|value| *value *= scale as f32);
        }
        Ok(Some(Norm {
            kind: norm_kind(config.norm),
            eps: config.norm_eps,
            weight: self.backend.vector(weight)?,
            bias: self.backend.vector(bias)?,
        }))
    }

    /// The expert that every row goes through, if there is one; it is always in memory.
    pub fn shared_expert(&self, layer: usize) -> Result<Option<SharedExpert<B>>> {
        let linear = |kind| match self.checkpoint.shared_expert(kind, layer)? {
            Some(matrix) => self.linear(&matrix, None).map(Some),
            None => Ok(None),
        };
        let gate = linear(ParamKind::SharedGate)?;
        let parts = (linear(ParamKind::SharedIn)?, linear(ParamKind::SharedUp)?, linear(ParamKind::SharedOut)?);
        let (Some(fc_in), fc_up, Some(fc_out)) = parts else { return Ok(None) };
        let mlp = Mlp { activation: activation(self.config().activation), fc_in, fc_up, fc_out };
        Ok(Some(SharedExpert { mlp, gate }))
    }

    /// An MLP of the matrices that `take` gives.
    pub fn mlp(
        &self,
        take: &mut impl FnMut(MatrixId) -> Result<LinearOn<B>>,
        expert: Option<usize>,
    ) -> Result<MlpOn<B>> {
        let config = self.config();
        let mut read = |kind| take(MatrixId { kind, expert });
        let gated = config.matrices.contains(&MatrixKind::FcUp);
        Ok(Mlp {
            activation: activation(config.activation),
            fc_in: read(MatrixKind::FcIn)?,
            fc_up: gated.then(|| read(MatrixKind::FcUp)).transpose()?,
            fc_out: read(MatrixKind::FcOut)?,
        })
    }
}

/// A matrix that is read in pieces each time it is used.
#[derive(Debug)]
struct OnDisk {
    checkpoint: Arc<Checkpoint>,
    layer: usize,
    matrix: MatrixId,
}

impl WeightSource for OnDisk {
    fn shape(&self) -> [usize; 2] {
        self.matrix.kind.shape(self.checkpoint.config())
    }

    fn rows(&self, range: Range<usize>) -> Result<Vec<f32>, SourceError> {
        let rows: Result<_, CheckpointError> = self.checkpoint.matrix_rows(self.layer, self.matrix, range);
        Ok(rows?)
    }
}

/// `x` through a norm, if there is one.
pub(crate) fn normed<B: Backend>(backend: &B, norm: &Option<NormOn<B>>, x: &B::Rows) -> Result<B::Rows> {
    match norm {
        Some(norm) => Ok(backend.norm(x, norm)?),
        None => Ok(x.clone()),
    }
}

/// A matrix of these values.
pub(crate) fn matrix_of(rows: usize, cols: usize, values: Vec<f32>) -> Result<Matrix> {
    Matrix::new(rows, cols, values).map_err(|error| Error::Model { why: error.to_string() })
}

fn norm_kind(norm: laser_checkpoint::Norm) -> NormKind {
    match norm {
        laser_checkpoint::Norm::Rms => NormKind::Rms,
        laser_checkpoint::Norm::Layer => NormKind::Layer,
    }
}

/// A table's activation as an operation.
pub(crate) fn activation(activation: laser_checkpoint::Activation) -> Activation {
    match activation {
        laser_checkpoint::Activation::Silu => Activation::Silu,
        laser_checkpoint::Activation::Gelu => Activation::Gelu,
        laser_checkpoint::Activation::GeluTanh => Activation::GeluTanh,
        laser_checkpoint::Activation::Relu => Activation::Relu,
        laser_checkpoint::Activation::ReluSquared => Activation::ReluSquared,
    }
}

/// How a mixture's experts are chosen.
pub(crate) fn expert_choice(experts: laser_checkpoint::Experts) -> ExpertChoice {
    ExpertChoice { per_token: experts.per_token, normalised: experts.normalised }
}
