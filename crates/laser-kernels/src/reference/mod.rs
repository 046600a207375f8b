//! The plain backend: candle's operations on any of its devices.
//!
//! It is what the others are tested against, it serves Metal, and gradients go through it: every
//! operation has one by what it is given as rows, weights and tables. (In a mixture the choice of
//! experts and their weights are constants.)

mod gathered_attention;
mod masked_attention;
mod reference_table;
mod tap;

pub use reference_table::ReferenceTable;
pub use tap::{Passed, Tap};

use crate::backend::{Backend, LinearOn, MixtureOn, NormOn, RotationOn};
use crate::cpu::Cpu;
use crate::error::{Error, Result};
use crate::kv_indices::KvIndices;
use crate::parts::{Activation, AttentionScores, NormKind, Precision, RotaryPairs};
use crate::reading::Reading;
use crate::weight_source::WeightSource;
use candle_core::{DType, Device, Tensor, Var};
use laser_matrix::Matrix;
use std::ops::Range;
use std::sync::Arc;

/// Rows whose logits are held at a time.
const HEAD_ROWS: usize = 256;

/// A device of candle's.
#[derive(Debug, Clone)]
pub struct Reference {
    device: Device,
}

/// A weight matrix.
#[derive(Debug, Clone)]
pub struct ReferenceWeight {
    /// `[inputs, outputs]`.
    values: Tensor,
    tap: Option<Tap>,
}

impl ReferenceWeight {
    fn new(values: Tensor) -> Self {
        Self { values, tap: None }
    }

    /// The same weight with a tap behind it.
    pub fn tapped(&self) -> (Self, Tap) {
        let tap = Tap::default();
        (Self { values: self.values.clone(), tap: Some(tap.clone()) }, tap)
    }

    /// The same weight as a variable `[inputs, outputs]`.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn variable(&self) -> Result<(Self, Var)> {
        let variable = Var::from_tensor(&self.values)?;
        Ok((Self::new(variable.as_tensor().clone()), variable))
    }
}

/// A head's weights.
#[derive(Debug)]
pub struct ReferenceHead {
    /// `[hidden, vocabulary]`.
    weight: Tensor,
    /// `[vocabulary]`.
    bias: Option<Tensor>,
    softcap: Option<f64>,
}

/// A backend whose gradients are taken on some [`Reference`].
pub trait Differentiable: Backend {
    /// Where gradients are taken.
    fn reference(&self) -> Reference;
}

impl Differentiable for Cpu {
    fn reference(&self) -> Reference {
        Reference::cpu()
    }
}

impl Differentiable for Reference {
    fn reference(&self) -> Reference {
        self.clone()
    }
}

impl Reference {
    /// On the processor.
    pub fn cpu() -> Self {
        Self { device: Device::Cpu }
    }

    /// On the first Metal device.
    ///
    /// # Errors
    /// If there is none, or if this build lacks the `metal` feature.
    pub fn metal() -> Result<Self> {
        Ok(Self { device: Device::new_metal(0)? })
    }

    /// Row numbers as a tensor.
    fn numbers(&self, numbers: &[u32]) -> Result<Tensor> {
        Ok(Tensor::from_slice(numbers, numbers.len(), &self.device)?)
    }

    /// `matrix [outputs, inputs]`, transposed.
    fn transposed(&self, matrix: &Matrix) -> Result<Tensor> {
        let shape = (matrix.rows(), matrix.cols());
        Ok(Tensor::from_slice(matrix.data(), shape, &self.device)?.t()?.contiguous()?)
    }
}

/// A matrix from its transpose.
fn dense(transposed: &Tensor) -> Result<Matrix> {
    let (inputs, outputs) = transposed.dims2()?;
    let values = transposed.t()?.flatten_all()?.to_vec1()?;
    Matrix::new(outputs, inputs, values).map_err(|error| Error::Operands { op: "dense", why: error.to_string() })
}

impl Backend for Reference {
    type Rows = Tensor;
    type Table = ReferenceTable;
    type Weight = ReferenceWeight;
    type Vector = Tensor;
    type Indices = Arc<[u32]>;
    type Attended = Arc<KvIndices>;
    type Head = ReferenceHead;

    fn kernel_path(&self) -> String {
        let device = match &self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        };
        format!("{device} candle")
    }

    fn unused_room_is_free(&self) -> bool {
        self.device.is_cpu()
    }

    fn rows(&self, values: Vec<f32>, width: usize) -> Result<Tensor> {
        let rows = values.len().checked_div(width).unwrap_or(0);
        Ok(Tensor::from_vec(values, (rows, width), &self.device)?)
    }

    fn to_host(&self, x: &Tensor) -> Result<Vec<f32>> {
        Ok(x.flatten_all()?.to_vec1()?)
    }

    fn vector(&self, values: Vec<f32>) -> Result<Tensor> {
        let n = values.len();
        Ok(Tensor::from_vec(values, n, &self.device)?)
    }

    fn vector_to_host(&self, vector: &Tensor) -> Result<Vec<f32>> {
        Ok(vector.to_vec1()?)
    }

    fn indices(&self, numbers: &[u32]) -> Result<Self::Indices> {
        Ok(numbers.into())
    }

    fn attended(&self, indices: &Arc<KvIndices>) -> Result<Self::Attended> {
        Ok(indices.clone())
    }

    fn select(&self, x: &Tensor, numbers: &Self::Indices) -> Result<Tensor> {
        Ok(x.index_select(&self.numbers(numbers)?, 0)?)
    }

    fn slice(&self, x: &Tensor, range: Range<usize>) -> Result<Tensor> {
        Ok(x.narrow(0, range.start, range.len())?)
    }

    fn concat(&self, parts: Vec<Tensor>) -> Result<Tensor> {
        Ok(Tensor::cat(&parts, 0)?)
    }

    fn table(&self, capacity: usize, width: usize) -> Result<ReferenceTable> {
        Ok(ReferenceTable::new(Tensor::zeros((capacity.max(1), width), DType::F32, &self.device)?, 0))
    }

    fn table_of(&self, values: Vec<f32>, width: usize) -> Result<ReferenceTable> {
        let rows = values.len().checked_div(width).unwrap_or(0);
        Ok(ReferenceTable::new(self.rows(values, width)?, rows))
    }

    fn clear(&self, table: &mut ReferenceTable) {
        table.clear();
    }

    fn write(&self, table: &mut ReferenceTable, numbers: &Self::Indices, rows: &Tensor) -> Result<()> {
        table.write(numbers, rows)
    }

    fn gather(&self, table: &ReferenceTable, numbers: &Self::Indices) -> Result<Tensor> {
        Ok(table.rows().index_select(&self.numbers(numbers)?, 0)?)
    }

    fn weight(&self, matrix: &Matrix, precision: Precision) -> Result<ReferenceWeight> {
        match precision {
            Precision::F32 => self.transposed(matrix).map(ReferenceWeight::new),
            Precision::Bf16 => Err(no_bf16()),
        }
    }

    fn weight_on_demand(&self, source: Arc<dyn WeightSource>) -> Result<ReferenceWeight> {
        let [outputs, inputs] = source.shape();
        let values = source.rows(0..outputs)?;
        let values = Tensor::from_vec(values, (outputs, inputs), &self.device)?;
        Ok(ReferenceWeight::new(values.t()?.contiguous()?))
    }

    fn precision(&self, _: &ReferenceWeight) -> Precision {
        Precision::F32
    }

    fn to_bf16(&self, _: &ReferenceWeight) -> Result<ReferenceWeight> {
        Err(no_bf16())
    }

    fn to_dense(&self, weight: &ReferenceWeight) -> Result<Matrix> {
        dense(&weight.values)
    }

    fn head(&self, matrix: &Matrix, bias: Option<&[f32]>, softcap: Option<f64>) -> Result<ReferenceHead> {
        let bias = bias.map(|bias| self.vector(bias.to_vec())).transpose()?;
        Ok(ReferenceHead { weight: self.transposed(matrix)?, bias, softcap })
    }

    fn head_to_dense(&self, head: &ReferenceHead) -> Result<Matrix> {
        dense(&head.weight)
    }

    fn embed(
        &self,
        table: &ReferenceTable,
        tokens: &Self::Indices,
        scale: Option<f64>,
        positions: Option<(&ReferenceTable, &Self::Indices)>,
    ) -> Result<Tensor> {
        let mut x = self.gather(table, tokens)?;
        if let Some(scale) = scale {
            x = (x * scale)?;
        }
        if let Some((table, numbers)) = positions {
            x = (x + self.gather(table, numbers)?)?;
        }
        Ok(x)
    }

    fn norm(&self, x: &Tensor, norm: &NormOn<Self>) -> Result<Tensor> {
        let ((rows, width), piece) = (x.dims2()?, norm.weight.dim(0)?);
        // A step less in the gradient's sums if a row is one piece.
        let pieces = if piece == width { x.clone() } else { x.reshape((rows * width / piece, piece))? };
        let (weight, bias, eps) = (&norm.weight, &norm.bias, norm.eps as f32);
        // candle's fused norms have no gradient.
        let normed = match norm.kind {
            NormKind::Rms => candle_nn::ops::rms_norm_slow(&pieces, weight, eps)?.broadcast_add(bias)?,
            NormKind::Layer => candle_nn::ops::layer_norm_slow(&pieces, weight, bias, eps)?,
        };
        if piece == width { Ok(normed) } else { Ok(normed.reshape((rows, width))?) }
    }

    fn linear(&self, x: &Tensor, linear: &LinearOn<Self>) -> Result<Tensor> {
        let mut y = x.matmul(&linear.weight.values)?;
        if let Some(tap) = &linear.weight.tap {
            y = tap.note(x, &y)?;
        }
        match &linear.bias {
            Some(bias) => Ok(y.broadcast_add(bias)?),
            None => Ok(y),
        }
    }

    fn rope(&self, x: &Tensor, rotation: &RotationOn<Self>, head_dim: usize) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let half = rotation.cos.dim(1)?;
        let (heads, dim) = (width / head_dim, 2 * half);
        let (cos, sin) = (rotation.cos.unsqueeze(1)?, rotation.sin.unsqueeze(1)?);
        let x = x.reshape((rows, heads, head_dim))?;
        let turning = x.narrow(2, 0, dim)?.contiguous()?;
        let (a, b) = match rotation.pairs {
            RotaryPairs::Halves => (turning.narrow(2, 0, half)?, turning.narrow(2, half, half)?),
            RotaryPairs::Neighbours => {
                let pairs = turning.reshape((rows, heads, half, 2))?;
                (pairs.narrow(3, 0, 1)?.squeeze(3)?, pairs.narrow(3, 1, 1)?.squeeze(3)?)
            }
        };
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        let turned = match rotation.pairs {
            RotaryPairs::Halves => Tensor::cat(&[first, second], 2)?,
            RotaryPairs::Neighbours => Tensor::stack(&[first, second], 3)?.reshape((rows, heads, dim))?,
        };
        if dim == head_dim {
            return Ok(turned.reshape((rows, width))?);
        }
        Ok(Tensor::cat(&[turned, x.narrow(2, dim, head_dim - dim)?], 2)?.reshape((rows, width))?)
    }

    fn attention(
        &self,
        q: &Tensor,
        keys: &ReferenceTable,
        values: &ReferenceTable,
        attended: &Self::Attended,
        head_dim: usize,
        scores: AttentionScores,
    ) -> Result<Tensor> {
        let (keys, values) = (keys.rows(), values.rows());
        let (queries, rows) = (q.dim(0)?, keys.dim(0)?.min(values.dim(0)?));
        if queries != attended.len() || attended.rows().iter().any(|&row| row as usize >= rows) {
            let why = format!("what {} queries see does not fit {queries} and {rows} cache rows", attended.len());
            return Err(Error::Operands { op: "attention", why });
        }
        // Rows that are looked up one by one cannot pass gradients on fast.
        Ok(if q.track_op() {
            masked_attention::attention(q, keys, values, attended, head_dim, scores)?
        } else {
            gathered_attention::attention(q, keys, values, attended, head_dim, scores)?
        })
    }

    fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        Ok(match activation {
            Activation::Silu => x.silu()?,
            Activation::Gelu => x.gelu_erf()?,
            Activation::GeluTanh => x.gelu()?,
            Activation::Relu => x.relu()?,
            Activation::ReluSquared => x.relu()?.sqr()?,
        })
    }

    fn gated(&self, gate: &Tensor, up: &Tensor, activation: Activation) -> Result<Tensor> {
        Ok((self.activate(gate, activation)? * up)?)
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        Ok((a + b)?)
    }

    fn add_scaled(&self, a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
        Ok((a + (b * scale)?)?)
    }

    fn gate_rows(&self, x: &Tensor, gates: &Tensor) -> Result<Tensor> {
        Ok(x.broadcast_mul(&(gates.neg()?.exp()? + 1.0)?.recip()?)?)
    }

    fn mixture(&self, x: &Tensor, mixture: &MixtureOn<Self>) -> Result<Tensor> {
        let logits = self.linear(x, &mixture.router)?.to_vec2::<f32>()?;
        let routes = mixture.choice.routes(logits.iter().map(Vec::as_slice), mixture.experts.len());
        let mut sum = x.zeros_like()?;
        for (expert, route) in mixture.experts.iter().zip(routes).filter(|(_, route)| !route.rows.is_empty()) {
            let rows = self.numbers(&route.rows)?;
            let n = route.weights.len();
            let weights = Tensor::from_vec(route.weights, (n, 1), &self.device)?;
            let y = self.mlp(&x.index_select(&rows, 0)?.contiguous()?, expert)?.broadcast_mul(&weights)?;
            sum = sum.index_add(&rows, &y, 0)?;
        }
        Ok(sum)
    }

    fn logits(&self, x: &Tensor, head: &ReferenceHead) -> Result<Tensor> {
        let mut logits = x.matmul(&head.weight)?;
        if let Some(bias) = &head.bias {
            logits = logits.broadcast_add(bias)?;
        }
        match head.softcap {
            Some(cap) => Ok(((logits / cap)?.tanh()? * cap)?),
            None => Ok(logits),
        }
    }

    fn read_out(&self, x: &Tensor, head: &ReferenceHead, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let vocabulary = head.weight.dim(1)?;
        let mut readings = Vec::with_capacity(wanted.len());
        for (i, wanted) in wanted.chunks(HEAD_ROWS).enumerate() {
            let logits = self.logits(&x.narrow(0, i * HEAD_ROWS, wanted.len())?, head)?.to_vec2::<f32>()?;
            for (logits, wanted) in logits.iter().zip(wanted) {
                readings.push(reading(logits, wanted).ok_or_else(|| Error::Operands {
                    op: "readout",
                    why: format!("a token is outside the vocabulary of {vocabulary}"),
                })?);
            }
        }
        Ok(readings)
    }
}

fn no_bf16() -> Error {
    Error::Precision { precision: "bf16", why: "only the CPU has them here" }
}

/// What logits say by the definition; `None` if a wanted token is not among them.
fn reading(logits: &[f32], wanted: &[u32]) -> Option<Reading> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|&logit| (f64::from(logit) - f64::from(max)).exp()).sum();
    let normaliser = f64::from(max) + total.ln();
    let mut reading = Reading {
        argmax: logits.iter().position(|&logit| logit == max).unwrap_or(0) as u32,
        logprobs: Vec::with_capacity(wanted.len()),
        ranks: Vec::with_capacity(wanted.len()),
    };
    for &token in wanted {
        let logit = *logits.get(token as usize)?;
        let above = |other: &(usize, &f32)| *other.1 > logit || (*other.1 == logit && other.0 < token as usize);
        reading.logprobs.push(f64::from(logit) - normaliser);
        reading.ranks.push(logits.iter().enumerate().filter(above).count());
    }
    Some(reading)
}
