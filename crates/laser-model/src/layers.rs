//! What blocks and heads are made of: products with a weight matrix, norms, and MLPs.

use crate::Result;
use crate::kernels::{self, Orientation};
use candle_core::{Device, Tensor};
use laser_checkpoint::{Activation, Checkpoint, Config, MatrixId, MatrixKind, Norm, Slot};
use laser_linalg::Matrix;

/// A weight matrix and its optional bias `[outputs]`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Tensor,
    orientation: Orientation,
    bias: Option<Tensor>,
}

impl Linear {
    pub(crate) fn new(
        matrix: Matrix,
        bias: Option<Vec<f32>>,
        orientation: Orientation,
        device: &Device,
    ) -> Result<Self> {
        let matrix = match orientation {
            Orientation::Plain => matrix,
            Orientation::Transposed => matrix.transpose(),
        };
        let bias = bias.map(|bias| vector(bias, device)).transpose()?;
        Ok(Self { weight: tensor(matrix, device)?, orientation, bias })
    }

    /// Of a weight tensor that lies as `orientation` says.
    pub(crate) fn of(weight: Tensor, orientation: Orientation, bias: Option<Tensor>) -> Self {
        Self { weight, orientation, bias }
    }

    /// The same bias with another matrix.
    pub(crate) fn with(&self, matrix: &Matrix) -> Result<Self> {
        let device = self.weight.device();
        let new = Self::new(matrix.clone(), None, Orientation::Transposed, device)?;
        Ok(Self { bias: self.bias.clone(), ..new })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = kernels::linear(x, &self.weight, self.orientation)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// A normalisation of rows.
#[derive(Debug, Clone)]
pub(crate) struct NormLayer {
    kind: Norm,
    eps: f64,
    weight: Tensor,
    bias: Tensor,
}

impl NormLayer {
    /// The norm of a slot, where the model has it; one without weights runs over the residual stream.
    pub(crate) fn load(checkpoint: &Checkpoint, slot: Slot, layer: usize, device: &Device) -> Result<Option<Self>> {
        let config = checkpoint.config();
        if !config.has(slot) {
            return Ok(None);
        }
        let weight = checkpoint.norm(slot, layer)?.unwrap_or_else(|| vec![1.0; config.hidden_size]);
        let bias = checkpoint.bias(slot, layer, None)?.unwrap_or_else(|| vec![0.0; weight.len()]);
        Ok(Some(Self {
            kind: config.norm,
            eps: config.norm_eps,
            weight: vector(weight, device)?,
            bias: vector(bias, device)?,
        }))
    }

    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        kernels::norm(x, &self.weight, &self.bias, self.kind, self.eps)
    }

    /// Normalises pieces of rows of `x [rows, n * width]`, each as long as the weights.
    pub(crate) fn forward_in_pieces(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let piece = self.weight.dim(0)?;
        self.forward(&x.reshape((rows * width / piece, piece))?)?.reshape((rows, width))
    }
}

/// `x` through a norm, where there is one.
pub(crate) fn normed(norm: &Option<NormLayer>, x: &Tensor) -> candle_core::Result<Tensor> {
    match norm {
        Some(norm) => norm.forward(x),
        None => Ok(x.clone()),
    }
}

/// fc_out(activation(fc_in x)), or with a gate fc_out(activation(fc_in x) * fc_up x).
#[derive(Debug, Clone)]
pub(crate) struct Mlp {
    activation: Activation,
    fc_in: Linear,
    fc_up: Option<Linear>,
    fc_out: Linear,
}

impl Mlp {
    /// Of the matrices that `take` gives.
    pub(crate) fn of(
        config: &Config,
        take: &mut impl FnMut(MatrixId) -> Result<Linear>,
        expert: Option<usize>,
    ) -> Result<Self> {
        let mut read = |kind| take(MatrixId { kind, expert });
        let gated = config.matrices.contains(&MatrixKind::FcUp);
        Ok(Self {
            activation: config.activation,
            fc_in: read(MatrixKind::FcIn)?,
            fc_up: gated.then(|| read(MatrixKind::FcUp)).transpose()?,
            fc_out: read(MatrixKind::FcOut)?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let inner = self.fc_in.forward(x)?;
        let inner = match &self.fc_up {
            Some(fc_up) => kernels::gated(&inner, &fc_up.forward(x)?, self.activation)?,
            None => kernels::activate(&inner, self.activation)?,
        };
        self.fc_out.forward(&inner)
    }

    pub(crate) fn matrix(&mut self, kind: MatrixKind) -> Option<&mut Linear> {
        match kind {
            MatrixKind::FcIn => Some(&mut self.fc_in),
            MatrixKind::FcUp => self.fc_up.as_mut(),
            MatrixKind::FcOut => Some(&mut self.fc_out),
            MatrixKind::QProj | MatrixKind::KProj | MatrixKind::VProj | MatrixKind::OutProj => None,
        }
    }
}

pub(crate) fn tensor(matrix: Matrix, device: &Device) -> candle_core::Result<Tensor> {
    let shape = (matrix.rows(), matrix.cols());
    Tensor::from_vec(matrix.into_data(), shape, device)
}

pub(crate) fn vector(values: Vec<f32>, device: &Device) -> candle_core::Result<Tensor> {
    let n = values.len();
    Tensor::from_vec(values, n, device)
}
