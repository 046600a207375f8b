//! The CPU: kernels of our own, and without AVX-512 faer's matrix product.
//!
//! Every kernel computes a row of its output from that row's inputs alone, in an order that depends
//! neither on the number of rows beside it nor on the number of threads. Batched, cached and
//! one-by-one evaluation therefore give the same bits.

mod attention;
mod elementwise;
mod faer_product;
mod fill;
mod handles;

mod meter;
mod norm;
mod packed;
mod panels;
mod prefilter;
mod read_logits;
mod rotate;
pub(crate) mod vector;
mod vocabulary;
mod weight;

pub use handles::{CpuRows, CpuTable};
pub use meter::{Products, products};
pub use vocabulary::CpuHead;
pub use weight::CpuWeight;

use crate::backend::{Backend, LinearOn, MixtureOn, NormOn, OverRangesOn, RotationOn, one_by_one};
use crate::divergence::{Divergence, diverge};
use crate::error::{Error, Result};
use crate::kv_indices::KvIndices;
use crate::parts::{Activation, AttentionScores, Precision};
use crate::reading::Reading;
use crate::weight_source::WeightSource;
use laser_matrix::Matrix;
use std::ops::Range;
use std::sync::Arc;

/// The processor, with all threads of the global thread pool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu;

impl Backend for Cpu {
    type Rows = CpuRows;
    type Table = CpuTable;
    type Weight = CpuWeight;
    type Vector = Arc<Vec<f32>>;
    type Indices = Arc<[u32]>;
    type Attended = Arc<KvIndices>;
    type Head = CpuHead;

    fn kernel_path(&self) -> String {
        let path = if packed::available(Precision::Bf16) {
            "avx512-bf16"
        } else if packed::available(Precision::F32) {
            "avx512"
        } else {
            faer_product::instructions()
        };
        format!("cpu {path}")
    }

    fn unused_room_is_free(&self) -> bool {
        true
    }

    fn rows(&self, values: Vec<f32>, width: usize) -> Result<CpuRows> {
        CpuRows::new(values, width)
    }

    fn to_host(&self, x: &CpuRows) -> Result<Vec<f32>> {
        Ok(x.to_vec())
    }

    fn vector(&self, values: Vec<f32>) -> Result<Self::Vector> {
        Ok(Arc::new(values))
    }

    fn vector_to_host(&self, vector: &Self::Vector) -> Result<Vec<f32>> {
        Ok(vector.to_vec())
    }

    fn indices(&self, numbers: &[u32]) -> Result<Self::Indices> {
        Ok(numbers.into())
    }

    fn attended(&self, indices: &Arc<KvIndices>) -> Result<Self::Attended> {
        Ok(indices.clone())
    }

    fn select(&self, x: &CpuRows, numbers: &Self::Indices) -> Result<CpuRows> {
        x.select(numbers)
    }

    fn slice(&self, x: &CpuRows, range: Range<usize>) -> Result<CpuRows> {
        x.slice(range)
    }

    fn concat(&self, parts: Vec<CpuRows>) -> Result<CpuRows> {
        CpuRows::concat(parts)
    }

    fn table(&self, capacity: usize, width: usize) -> Result<CpuTable> {
        Ok(CpuTable::new(capacity, width))
    }

    fn table_of(&self, values: Vec<f32>, width: usize) -> Result<CpuTable> {
        CpuTable::of(values, width)
    }

    fn clear(&self, table: &mut CpuTable) {
        table.clear();
    }

    fn write(&self, table: &mut CpuTable, numbers: &Self::Indices, rows: &CpuRows) -> Result<()> {
        table.write(numbers, rows)
    }

    fn gather(&self, table: &CpuTable, numbers: &Self::Indices) -> Result<CpuRows> {
        CpuRows::new(table.gather(numbers)?, table.width())
    }

    fn weight(&self, matrix: &Matrix, precision: Precision) -> Result<CpuWeight> {
        CpuWeight::new(matrix, precision)
    }

    fn keeps_factors(&self) -> bool {
        true
    }

    fn weight_in_factors(&self, inner: &Matrix, outer: &Matrix, precision: Precision) -> Result<CpuWeight> {
        CpuWeight::in_factors(inner, outer, precision)
    }

    fn weight_on_demand(&self, source: Arc<dyn WeightSource>) -> Result<CpuWeight> {
        Ok(CpuWeight::on_demand(source))
    }

    fn precision(&self, weight: &CpuWeight) -> Precision {
        weight.precision()
    }

    fn to_bf16(&self, weight: &CpuWeight) -> Result<CpuWeight> {
        weight.to_bf16()
    }

    fn to_dense(&self, weight: &CpuWeight) -> Result<Matrix> {
        weight.to_dense()
    }

    fn head(&self, matrix: &Matrix, bias: Option<&[f32]>, softcap: Option<f64>) -> Result<CpuHead> {
        CpuHead::new(matrix, bias, softcap)
    }

    fn head_to_dense(&self, head: &CpuHead) -> Result<Matrix> {
        head.to_dense()
    }

    fn embed(
        &self,
        table: &CpuTable,
        tokens: &Self::Indices,
        scale: Option<f64>,
        positions: Option<(&CpuTable, &Self::Indices)>,
    ) -> Result<CpuRows> {
        let mut x = table.gather(tokens)?;
        if let Some(scale) = scale {
            elementwise::scale(&mut x, scale as f32);
        }
        if let Some((table, numbers)) = positions {
            x = elementwise::add(&x, &table.gather(numbers)?)?;
        }
        CpuRows::new(x, table.width())
    }

    fn norm(&self, x: &CpuRows, norm: &NormOn<Self>) -> Result<CpuRows> {
        CpuRows::new(norm::norm(x, &norm.weight, &norm.bias, norm.kind, norm.eps as f32)?, x.width())
    }

    fn linear(&self, x: &CpuRows, linear: &LinearOn<Self>) -> Result<CpuRows> {
        let mut y = linear.weight.product(x)?;
        if let Some(bias) = &linear.bias {
            elementwise::add_bias(&mut y, bias)?;
        }
        CpuRows::new(y, linear.weight.outputs())
    }

    fn linear_over_ranges(&self, x: &CpuRows, weights: &[OverRangesOn<Self>]) -> Result<CpuRows> {
        match weight::product_over_ranges(x, weights)? {
            Some(y) => Ok(y),
            None => one_by_one(self, x, weights),
        }
    }

    fn rope(&self, x: &CpuRows, rotation: &RotationOn<Self>, head_dim: usize) -> Result<CpuRows> {
        let (cos, sin) = (&rotation.cos, &rotation.sin);
        let values = rotate::rotate(x, x.width(), cos, sin, [cos.width(), head_dim], rotation.pairs)?;
        CpuRows::new(values, x.width())
    }

    fn attention(
        &self,
        q: &CpuRows,
        keys: &CpuTable,
        values: &CpuTable,
        attended: &Self::Attended,
        head_dim: usize,
        scores: AttentionScores,
    ) -> Result<CpuRows> {
        let heads = attention::Heads { head_dim, kv_width: keys.width(), q_width: q.width() };
        CpuRows::new(attention::attention(q, keys.values(), values.values(), attended, heads, scores)?, q.width())
    }

    fn activate(&self, x: &CpuRows, activation: Activation) -> Result<CpuRows> {
        CpuRows::new(elementwise::activate(x, activation), x.width())
    }

    fn gated(&self, gate: &CpuRows, up: &CpuRows, activation: Activation) -> Result<CpuRows> {
        CpuRows::new(elementwise::gated(gate, up, activation)?, gate.width())
    }

    fn add(&self, a: &CpuRows, b: &CpuRows) -> Result<CpuRows> {
        CpuRows::new(elementwise::add(a, b)?, a.width())
    }

    fn add_scaled(&self, a: &CpuRows, b: &CpuRows, scale: f64) -> Result<CpuRows> {
        CpuRows::new(elementwise::add_scaled(a, b, scale as f32)?, a.width())
    }

    fn gate_rows(&self, x: &CpuRows, gates: &CpuRows) -> Result<CpuRows> {
        CpuRows::new(elementwise::gate_rows(x, gates, x.width())?, x.width())
    }

    fn mixture(&self, x: &CpuRows, mixture: &MixtureOn<Self>) -> Result<CpuRows> {
        let logits = self.linear(x, &mixture.router)?;
        let routes = mixture.choice.routes(logits.chunks_exact(logits.width().max(1)), mixture.experts.len());
        let width = x.width();
        let mut sum = vec![0.0; x.len() * width];
        for (expert, route) in mixture.experts.iter().zip(routes).filter(|(_, route)| !route.rows.is_empty()) {
            let y = self.mlp(&x.select(&route.rows)?, expert)?;
            if y.width() != width {
                let why = format!("an expert gives rows of {}, not of {width}", y.width());
                return Err(Error::Operands { op: "mixture", why });
            }
            for ((&row, weight), y) in route.rows.iter().zip(route.weights).zip(y.chunks_exact(width)) {
                let sum = &mut sum[row as usize * width..][..width];
                sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += y * weight);
            }
        }
        CpuRows::new(sum, width)
    }

    fn logits(&self, x: &CpuRows, head: &CpuHead) -> Result<CpuRows> {
        head.logits(x)
    }

    fn read_out(&self, x: &CpuRows, head: &CpuHead, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        head.read_out(x, wanted)
    }

    fn diverge(
        &self,
        unedited: &CpuRows,
        edited: &CpuRows,
        head: &CpuHead,
        wanted: &[Option<u32>],
    ) -> Result<Vec<Divergence>> {
        diverge(unedited, &head.logits(edited)?, wanted)
    }
}
