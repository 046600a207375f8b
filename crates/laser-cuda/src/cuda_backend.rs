//! A device as the backend of a model: activations, keys and values in f32, weights in f32 or bf16.

use crate::backend_handles::{CudaHead, CudaRows, CudaTable, CudaWeight};
use crate::operations::{self, Attended, AttentionShape, ReadOut, RotaryStyle, Wanted};
use crate::{Device, Indices, Kind, Result, Rows, Vector};
use laser_kernels::{
    Activation, AttentionScores, Backend, Differentiable, Error, KvIndices, LinearOn, MixtureOn, MlpOn, NormKind,
    NormOn, Precision, Reading, Reference, RotaryPairs, RotationOn, WeightSource,
};
use laser_matrix::{LowRank, Matrix};
use std::ops::Range;
use std::sync::Arc;

/// Rows that go through a block together.
const ROWS_TOGETHER: usize = 8192;

/// Rows whose predictions are read at a time: their logits of a slice of the vocabulary are held.
const READ_TOGETHER: usize = 8192;

/// Tokens of a slice of the vocabulary. It is the same whatever memory there is: it decides the bits of products.
const VOCABULARY_SLICE: usize = 16384;

/// Bytes of logits that may be held, so that ranks need no second product.
const LOGITS: usize = 1 << 30;

/// An NVIDIA GPU, or what stands in for one. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Cuda {
    device: Device,
}

impl Cuda {
    /// The GPU of this number, counted from 0.
    ///
    /// # Errors
    /// One line that says what is missing: a library, a driver new enough, or the GPU.
    pub fn gpu(ordinal: usize) -> Result<Self> {
        Ok(Self { device: Device::gpu(ordinal)? })
    }

    /// Operations on a device.
    pub fn on(device: Device) -> Self {
        Self { device }
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn linear_rows(&self, x: &CudaRows, linear: &LinearOn<Self>) -> Result<CudaRows> {
        let weight = &linear.weight.rows;
        let x = x.stored_as(&self.device, weight.kind())?;
        Ok(self.device.linear(&x, weight, linear.bias.as_ref(), None)?.into())
    }

    /// The inner rows are stored as the last matrix takes them.
    fn mlp_rows(&self, x: &CudaRows, mlp: &MlpOn<Self>) -> Result<CudaRows> {
        let inner = self.linear_rows(x, &mlp.fc_in)?;
        let (activation, out) = (activation(mlp.activation), &mlp.fc_out);
        let kind = out.weight.rows.kind();
        let inner = match &mlp.fc_up {
            Some(fc_up) => self.device.gated(inner.rows(), self.linear_rows(x, fc_up)?.rows(), activation, kind)?,
            None => self.device.activate(inner.rows(), activation, kind)?,
        };
        Ok(self.device.linear(&inner, &out.weight.rows, out.bias.as_ref(), None)?.into())
    }

    fn f32_rows(&self, values: &[f32], width: usize) -> Result<Rows> {
        Rows::of(&self.device, Kind::F32, values, values.len().checked_div(width).unwrap_or(0), width)
    }
}

impl Differentiable for Cuda {
    fn reference(&self) -> Reference {
        Reference::cpu()
    }
}

impl Backend for Cuda {
    type Rows = CudaRows;
    type Table = CudaTable;
    type Weight = CudaWeight;
    type Vector = Vector;
    type Indices = Indices;
    type Attended = Attended;
    type Head = CudaHead;

    fn kernel_path(&self) -> String {
        self.device.kernel_path()
    }

    fn unused_room_is_free(&self) -> bool {
        false
    }

    fn rows_together(&self) -> usize {
        ROWS_TOGETHER
    }

    /// Half of what is free: tables double when they grow, and operations need room for their results.
    fn memory_for_activations(&self) -> Option<usize> {
        self.device.memory().ok().map(|memory| memory.free / 2)
    }

    fn rows(&self, values: Vec<f32>, width: usize) -> Result<CudaRows, Error> {
        Ok(self.f32_rows(&values, width)?.into())
    }

    fn to_host(&self, x: &CudaRows) -> Result<Vec<f32>, Error> {
        Ok(x.rows().to_host()?)
    }

    fn vector(&self, values: Vec<f32>) -> Result<Vector, Error> {
        Ok(Vector::of(&self.device, &values)?)
    }

    fn vector_to_host(&self, vector: &Vector) -> Result<Vec<f32>, Error> {
        Ok(vector.to_host()?)
    }

    fn indices(&self, numbers: &[u32]) -> Result<Indices, Error> {
        Ok(Indices::of(&self.device, numbers)?)
    }

    fn attended(&self, indices: &Arc<KvIndices>) -> Result<Attended, Error> {
        let ends: Result<Vec<u32>, _> = indices.ends().iter().map(|&end| u32::try_from(end)).collect();
        let too_many =
            |_| Error::Operands { op: "attention", why: "its queries see more than 2^32 rows in all".to_owned() };
        Ok(Attended::of(&self.device, &ends.map_err(too_many)?, indices.rows())?)
    }

    fn select(&self, x: &CudaRows, numbers: &Indices) -> Result<CudaRows, Error> {
        Ok(self.device.gather(x.rows(), numbers, Kind::F32)?.into())
    }

    fn slice(&self, x: &CudaRows, range: Range<usize>) -> Result<CudaRows, Error> {
        // All of them are still known in 16 bits.
        if range == (0..x.rows().rows()) {
            return Ok(x.clone());
        }
        Ok(x.rows().slice(range)?.into())
    }

    fn concat(&self, mut parts: Vec<CudaRows>) -> Result<CudaRows, Error> {
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return Ok(only);
        }
        let parts: Vec<Rows> = parts.iter().map(|part| part.rows().clone()).collect();
        Ok(self.device.concat(&parts)?.into())
    }

    fn table(&self, capacity: usize, width: usize) -> Result<CudaTable, Error> {
        Ok(CudaTable::new(&self.device, capacity, width)?)
    }

    fn table_of(&self, values: Vec<f32>, width: usize) -> Result<CudaTable, Error> {
        Ok(CudaTable::of(self.f32_rows(&values, width)?))
    }

    fn clear(&self, table: &mut CudaTable) {
        table.clear();
    }

    fn write(&self, table: &mut CudaTable, numbers: &Indices, rows: &CudaRows) -> Result<(), Error> {
        Ok(table.write(&self.device, numbers, rows.rows())?)
    }

    fn gather(&self, table: &CudaTable, numbers: &Indices) -> Result<CudaRows, Error> {
        Ok(table.gather(&self.device, numbers)?.into())
    }

    fn weight(&self, matrix: &Matrix, precision: Precision) -> Result<CudaWeight, Error> {
        let rows = Rows::of(&self.device, Kind::F32, matrix.data(), matrix.rows(), matrix.cols())?;
        // Rounded on the device: it is faster.
        Ok(CudaWeight { rows: self.device.convert(&rows, kind(precision))? })
    }

    fn takes_factors(&self) -> bool {
        true
    }

    /// The factors are a small part of the matrix, and multiplied on the device.
    fn low_rank_weight(&self, factors: &LowRank, precision: Precision) -> Result<CudaWeight, Error> {
        let (rows, cols, rank) = (factors.rows(), factors.cols(), factors.rank());
        let kind = kind(precision);
        if rank == 0 {
            return Ok(CudaWeight { rows: Rows::zeros(&self.device, kind, rows, cols)? });
        }
        let scale = 2f64.powi(factors.exponent());
        let by: Vec<f32> = factors.s().iter().map(|s| (f64::from(*s) * scale) as f32).collect();
        let weighted: Vec<f32> =
            factors.u().data().chunks(rank).flat_map(|row| row.iter().zip(&by).map(|(u, s)| u * s)).collect();
        let u = Rows::of(&self.device, Kind::F32, &weighted, rows, rank)?;
        let v = Rows::of(&self.device, Kind::F32, factors.v().data(), cols, rank)?;
        let product = self.device.linear(&u, &v, None, None)?;
        Ok(CudaWeight { rows: self.device.convert(&product, kind)? })
    }

    /// Read now, into the device's memory.
    fn weight_on_demand(&self, source: Arc<dyn WeightSource>) -> Result<CudaWeight, Error> {
        let [outputs, inputs] = source.shape();
        let values = source.rows(0..outputs)?;
        Ok(CudaWeight { rows: Rows::of(&self.device, Kind::F32, &values, outputs, inputs)? })
    }

    fn precision(&self, weight: &CudaWeight) -> Precision {
        match weight.rows.kind() {
            Kind::F32 => Precision::F32,
            Kind::Bf16 | Kind::F16 => Precision::Bf16,
        }
    }

    fn to_bf16(&self, weight: &CudaWeight) -> Result<CudaWeight, Error> {
        Ok(CudaWeight { rows: self.device.convert(&weight.rows, Kind::Bf16)? })
    }

    fn to_dense(&self, weight: &CudaWeight) -> Result<Matrix, Error> {
        dense(&weight.rows)
    }

    fn head(&self, matrix: &Matrix, bias: Option<&[f32]>, softcap: Option<f64>) -> Result<CudaHead, Error> {
        let read_out = ReadOut {
            weights: self.weight(matrix, Precision::F32)?.rows,
            bias: bias.map(|bias| Vector::of(&self.device, bias)).transpose()?,
            softcap: softcap.map(|cap| cap as f32),
            slice: VOCABULARY_SLICE,
            memory: LOGITS,
        };
        Ok(CudaHead { read_out })
    }

    fn head_to_dense(&self, head: &CudaHead) -> Result<Matrix, Error> {
        dense(&head.read_out.weights)
    }

    fn embed(
        &self,
        table: &CudaTable,
        tokens: &Indices,
        scale: Option<f64>,
        positions: Option<(&CudaTable, &Indices)>,
    ) -> Result<CudaRows, Error> {
        let scale = scale.map_or(1.0, |scale| scale as f32);
        let position_rows = positions.map(|(table, _)| table.rows()).transpose()?;
        let positions = position_rows.as_ref().zip(positions).map(|(rows, (_, numbers))| (rows, numbers));
        Ok(self.device.embed(&table.rows()?, tokens, scale, positions)?.into())
    }

    fn norm(&self, x: &CudaRows, norm: &NormOn<Self>) -> Result<CudaRows, Error> {
        let norm = operations::Norm {
            kind: match norm.kind {
                NormKind::Rms => operations::NormKind::Rms,
                NormKind::Layer => operations::NormKind::Layer,
            },
            eps: norm.eps as f32,
            weight: norm.weight.clone(),
            bias: Some(norm.bias.clone()),
        };
        Ok(self.device.normalise(x.rows(), &norm, Kind::F32)?.into())
    }

    fn linear(&self, x: &CudaRows, linear: &LinearOn<Self>) -> Result<CudaRows, Error> {
        Ok(self.linear_rows(x, linear)?)
    }

    fn rope(&self, x: &CudaRows, rotation: &RotationOn<Self>, head_dim: usize) -> Result<CudaRows, Error> {
        let style = match rotation.pairs {
            RotaryPairs::Halves => RotaryStyle::Half,
            RotaryPairs::Neighbours => RotaryStyle::Interleaved,
        };
        let (cos, sin) = (rotation.cos.rows().clone(), rotation.sin.rows().clone());
        let rotation = operations::Rotation::new(style, cos, sin)?;
        Ok(self.device.rope(x.rows(), &rotation, head_dim, Kind::F32)?.into())
    }

    fn attention(
        &self,
        q: &CudaRows,
        keys: &CudaTable,
        values: &CudaTable,
        attended: &Attended,
        head_dim: usize,
        scores: AttentionScores,
    ) -> Result<CudaRows, Error> {
        let shape = AttentionShape { head_dim, scale: scores.scale, softcap: scores.softcap, alibi: scores.alibi };
        let (keys, values) = (keys.rows()?, values.rows()?);
        Ok(self.device.attention(q.rows(), &keys, &values, attended, shape, Kind::F32)?.into())
    }

    fn activate(&self, x: &CudaRows, function: Activation) -> Result<CudaRows, Error> {
        Ok(self.device.activate(x.rows(), activation(function), Kind::F32)?.into())
    }

    fn gated(&self, gate: &CudaRows, up: &CudaRows, function: Activation) -> Result<CudaRows, Error> {
        Ok(self.device.gated(gate.rows(), up.rows(), activation(function), Kind::F32)?.into())
    }

    fn add(&self, a: &CudaRows, b: &CudaRows) -> Result<CudaRows, Error> {
        Ok(self.device.add(a.rows(), b.rows())?.into())
    }

    fn add_scaled(&self, a: &CudaRows, b: &CudaRows, scale: f64) -> Result<CudaRows, Error> {
        Ok(self.device.add_scaled(a.rows(), b.rows(), scale as f32)?.into())
    }

    fn gate_rows(&self, x: &CudaRows, gates: &CudaRows) -> Result<CudaRows, Error> {
        Ok(self.device.gate_rows(x.rows(), gates.rows())?.into())
    }

    fn mlp(&self, x: &CudaRows, mlp: &MlpOn<Self>) -> Result<CudaRows, Error> {
        Ok(self.mlp_rows(x, mlp)?)
    }

    fn mixture(&self, x: &CudaRows, mixture: &MixtureOn<Self>) -> Result<CudaRows, Error> {
        let logits = self.linear_rows(x, &mixture.router)?;
        let routes = self.device.route(logits.rows(), mixture.choice.per_token, mixture.choice.normalised)?;
        let expert = |number: usize, rows: &Rows| {
            let mlp = mixture.experts.get(number).ok_or_else(|| {
                let why = format!("the router knows {}, there are {}", number + 1, mixture.experts.len());
                crate::Error::Shape { operation: "mixture", why }
            })?;
            Ok(self.mlp_rows(&rows.clone().into(), mlp)?.rows().clone())
        };
        Ok(self.device.mixture(x.rows(), &routes, expert)?.into())
    }

    /// The soft cap is put on by the host: only tests and the plainest road to a model's logits come here.
    fn logits(&self, x: &CudaRows, head: &CudaHead) -> Result<CudaRows, Error> {
        let head = &head.read_out;
        let logits = self.device.linear(x.rows(), &head.weights, head.bias.as_ref(), None)?;
        let Some(cap) = head.softcap else { return Ok(logits.into()) };
        let capped = logits.to_host()?.into_iter().map(|logit| cap * (logit / cap).tanh()).collect();
        self.rows(capped, logits.width())
    }

    fn read_out(&self, x: &CudaRows, head: &CudaHead, wanted: &[&[u32]]) -> Result<Vec<Reading>, Error> {
        let mut readings = Vec::with_capacity(wanted.len());
        for (i, wanted) in wanted.chunks(READ_TOGETHER).enumerate() {
            let first = i * READ_TOGETHER;
            let (rows, asked) = (x.rows().slice(first..first + wanted.len())?, Wanted::of(&self.device, wanted)?);
            let read = self.device.read_out(&rows, &head.read_out, &asked)?;
            readings.extend(read.into_iter().map(|operations::Reading { argmax, logprobs, ranks }| Reading {
                argmax,
                logprobs,
                ranks,
            }));
        }
        Ok(readings)
    }
}

fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::F32 => Kind::F32,
        Precision::Bf16 => Kind::Bf16,
    }
}

fn activation(activation: Activation) -> operations::Activation {
    match activation {
        Activation::Silu => operations::Activation::Silu,
        Activation::Gelu => operations::Activation::Gelu,
        Activation::GeluTanh => operations::Activation::GeluTanh,
        Activation::Relu => operations::Activation::Relu,
        Activation::ReluSquared => operations::Activation::ReluSquared,
    }
}

fn dense(rows: &Rows) -> Result<Matrix, Error> {
    let matrix = Matrix::new(rows.rows(), rows.width(), rows.to_host()?);
    matrix.map_err(|error| Error::Operands { op: "dense", why: error.to_string() })
}
