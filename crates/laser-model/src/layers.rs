//! What blocks and heads are made of: products with a weight matrix, norms, and MLPs.

use crate::kernels::{self, PackedMatrix, Precision, packs};
use crate::{Error, Result};
use candle_core::{Device, Tensor, Var};
use laser_checkpoint::{Activation, Checkpoint, Config, MatrixId, MatrixKind, Norm, Slot};
use laser_linalg::Matrix;
use std::sync::Arc;

/// A weight matrix and its optional bias `[outputs]`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

#[derive(Debug, Clone)]
enum Weight {
    /// As the processor multiplies by it best.
    Packed(PackedMatrix),
    /// Transposed, `[inputs, outputs]`.
    Transposed(Tensor),
    /// Read in pieces each time it is used.
    OnDisk { checkpoint: Arc<Checkpoint>, layer: usize, matrix: MatrixId },
}

impl Linear {
    pub(crate) fn new(matrix: &Matrix, bias: Option<Vec<f32>>, device: &Device) -> Result<Self> {
        let bias = bias.map(|bias| vector(bias, device)).transpose()?;
        if device.is_cpu() && packs(Precision::F32) {
            return Ok(Self { weight: Weight::Packed(packed(matrix, Precision::F32)), bias });
        }
        Ok(Self { weight: Weight::Transposed(tensor(matrix.transpose(), device)?), bias })
    }

    /// A matrix of the checkpoint, in memory or not.
    pub(crate) fn load(
        checkpoint: &Arc<Checkpoint>,
        layer: usize,
        matrix: MatrixId,
        place: Place,
        device: &Device,
    ) -> Result<Self> {
        let bias = checkpoint.bias(Slot::Matrix(matrix.kind), layer, matrix.expert)?;
        match place {
            Place::Memory => Self::new(&checkpoint.matrix(layer, matrix)?, bias, device),
            Place::Disk => Ok(Self {
                weight: Weight::OnDisk { checkpoint: checkpoint.clone(), layer, matrix },
                bias: bias.map(|bias| vector(bias, device)).transpose()?,
            }),
        }
    }

    /// The same bias with another matrix, in the same precision.
    pub(crate) fn with(&self, matrix: &Matrix, device: &Device) -> Result<Self> {
        let weight = match &self.weight {
            Weight::Packed(of) => Weight::Packed(packed(matrix, of.precision())),
            Weight::Transposed(_) | Weight::OnDisk { .. } => Self::new(matrix, None, device)?.weight,
        };
        Ok(Self { weight, bias: self.bias.clone() })
    }

    /// A copy in bf16; none where the weight is not packed in memory.
    pub(crate) fn rounded(&self) -> Option<Self> {
        let weight = match &self.weight {
            Weight::Packed(matrix) => {
                let (weights, (outputs, inputs)) = matrix.values();
                PackedMatrix::new(&weights, outputs, inputs, Precision::Bf16)
            }
            // Where there is bf16, what is in memory is packed.
            Weight::Transposed(_) | Weight::OnDisk { .. } => return None,
        };
        Some(Self { weight: Weight::Packed(weight), bias: self.bias.clone() })
    }

    /// The transposed weight in memory and in f32, `[inputs, outputs]`.
    fn transposed(&self, device: &Device) -> Result<Tensor> {
        Ok(match &self.weight {
            Weight::Transposed(transposed) => transposed.clone(),
            Weight::Packed(matrix) => {
                let (weights, shape) = matrix.values();
                Tensor::from_vec(weights, shape, device)?.t()?.contiguous()?
            }
            Weight::OnDisk { checkpoint, layer, matrix } => {
                tensor(checkpoint.matrix(*layer, *matrix)?.transpose(), device)?
            }
        })
    }

    /// A copy that gradients go through: its weight is in memory and in f32.
    pub(crate) fn differentiable(&self, device: &Device) -> Result<Self> {
        Ok(Self { weight: Weight::Transposed(self.transposed(device)?), bias: self.bias.clone() })
    }

    /// A copy whose weight is a variable, `[inputs, outputs]`.
    pub(crate) fn tracked(&self, device: &Device) -> Result<(Self, Var)> {
        let variable = Var::from_tensor(&self.transposed(device)?)?;
        let weight = Weight::Transposed(variable.as_tensor().clone());
        Ok((Self { weight, bias: self.bias.clone() }, variable))
    }

    /// The weight where it is packed and all that counts.
    pub(crate) fn packed(&self) -> Option<&PackedMatrix> {
        match &self.weight {
            Weight::Packed(matrix) if self.bias.is_none() => Some(matrix),
            _ => None,
        }
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = match &self.weight {
            Weight::Packed(matrix) => matrix.forward(x)?,
            Weight::Transposed(transposed) => kernels::linear(x, transposed)?,
            Weight::OnDisk { checkpoint, layer, matrix } => {
                let [outputs, _] = matrix.kind.shape(checkpoint.config());
                let read = |rows| Ok::<_, Error>(checkpoint.matrix_rows(*layer, *matrix, rows)?);
                kernels::linear_in_panels(x, outputs, read)?
            }
        };
        match &self.bias {
            Some(bias) => Ok(y.broadcast_add(bias)?),
            None => Ok(y),
        }
    }
}

/// Where a layer's matrices are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    Disk,
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

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.fc_in.forward(x)?;
        let inner = match &self.fc_up {
            Some(fc_up) => kernels::gated(&inner, &fc_up.forward(x)?, self.activation)?,
            None => kernels::activate(&inner, self.activation)?,
        };
        self.fc_out.forward(&inner)
    }

    pub(crate) fn matrices(&mut self) -> impl Iterator<Item = &mut Linear> {
        [Some(&mut self.fc_in), self.fc_up.as_mut(), Some(&mut self.fc_out)].into_iter().flatten()
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

fn packed(matrix: &Matrix, precision: Precision) -> PackedMatrix {
    PackedMatrix::new(matrix.data(), matrix.rows(), matrix.cols(), precision)
}

pub(crate) fn tensor(matrix: Matrix, device: &Device) -> candle_core::Result<Tensor> {
    let shape = (matrix.rows(), matrix.cols());
    Tensor::from_vec(matrix.into_data(), shape, device)
}

pub(crate) fn vector(values: Vec<f32>, device: &Device) -> candle_core::Result<Tensor> {
    let n = values.len();
    Tensor::from_vec(values, n, device)
}
