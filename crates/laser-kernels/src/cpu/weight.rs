//! Weight matrices in the forms in which the CPU multiplies by them.

use super::handles::CpuRows;
use super::packed::{PackedMatrix, available};
use super::panels::linear_in_panels;
use super::{Cpu, elementwise, faer_product};
use crate::backend::OverRangesOn;
use crate::error::{Error, Result};
use crate::parts::Precision;
use crate::weight_source::WeightSource;
use laser_matrix::Matrix;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// `x W'` and the bias where rows have one of some weights, if all are packed and have the same bias.
///
/// # Errors
/// If the weights do not fit `x`.
pub(super) fn product_over_ranges(x: &CpuRows, weights: &[OverRangesOn<Cpu>]) -> Result<Option<CpuRows>> {
    let mut packed: Vec<(&PackedMatrix, &[Range<usize>])> = Vec::with_capacity(weights.len());
    for (linear, ranges) in weights {
        let Form::Packed(matrix) = &linear.weight.0 else { return Ok(None) };
        let has_same_bias = match (&linear.bias, &weights[0].0.bias) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        if !has_same_bias {
            return Ok(None);
        }
        packed.push((matrix, ranges));
    }
    let Some(&(first, _)) = packed.first() else { return Ok(None) };
    let is_like_first = |it: &PackedMatrix| (it.shape(), it.precision()) == (first.shape(), first.precision());
    if x.width() != first.shape()[1] || !packed.iter().all(|(it, _)| is_like_first(it)) {
        return Ok(None);
    }
    let mut y = PackedMatrix::product_over_ranges(x, x.len(), &packed);
    if let Some(bias) = &weights[0].0.bias {
        elementwise::add_bias(&mut y, bias)?;
    }
    CpuRows::new(y, first.shape()[0]).map(Some)
}

/// A weight matrix `[outputs, inputs]`.
#[derive(Debug, Clone)]
pub struct CpuWeight(Form);

#[derive(Debug, Clone)]
enum Form {
    /// As a processor with AVX-512 multiplies by it best.
    Packed(PackedMatrix),
    /// `[inputs, outputs]`, for processors without: faer packs that form without a stride.
    Transposed { values: Arc<Vec<f32>>, shape: [usize; 2] },
    /// Two thin matrices, the inner one first.
    Factors(Arc<[CpuWeight; 2]>),
    /// Read in pieces each time it is used.
    OnDemand(Arc<dyn WeightSource>),
}

impl CpuWeight {
    /// A matrix in memory.
    ///
    /// # Errors
    /// If this processor has no products in `precision`.
    pub(super) fn new(matrix: &Matrix, precision: Precision) -> Result<Self> {
        let (outputs, inputs) = (matrix.rows(), matrix.cols());
        if available(precision) {
            return Ok(Self(Form::Packed(PackedMatrix::new(matrix.data(), outputs, inputs, precision))));
        }
        if precision == Precision::Bf16 {
            return Err(Error::Precision { precision: "bf16", why: "this processor lacks AVX512-BF16" });
        }
        let mut values = vec![0.0; outputs * inputs];
        values.par_chunks_mut(outputs.max(1)).enumerate().for_each(|(input, row)| {
            row.iter_mut().enumerate().for_each(|(output, value)| *value = matrix.data()[output * inputs + input]);
        });
        Ok(Self(Form::Transposed { values: Arc::new(values), shape: [outputs, inputs] }))
    }

    /// The matrix outer inner, which stays two.
    ///
    /// # Errors
    /// If they do not fit each other, or this processor has no products in `precision`.
    pub(super) fn in_factors(inner: &Matrix, outer: &Matrix, precision: Precision) -> Result<Self> {
        if inner.rows() != outer.cols() {
            let why = format!("the factors have ranks {} and {}", inner.rows(), outer.cols());
            return Err(Error::Operands { op: "weight", why });
        }
        Ok(Self(Form::Factors(Arc::new([Self::new(inner, precision)?, Self::new(outer, precision)?]))))
    }

    /// A matrix that is read each time it is used.
    pub(super) fn on_demand(source: Arc<dyn WeightSource>) -> Self {
        Self(Form::OnDemand(source))
    }

    /// In what it is multiplied.
    pub(super) fn precision(&self) -> Precision {
        match &self.0 {
            Form::Packed(matrix) => matrix.precision(),
            Form::Factors(factors) => factors[0].precision(),
            Form::Transposed { .. } | Form::OnDemand(_) => Precision::F32,
        }
    }

    /// The same in bf16.
    pub(super) fn to_bf16(&self) -> Result<Self> {
        let error = |why| Err(Error::Precision { precision: "bf16", why });
        if !available(Precision::Bf16) {
            return error("this processor lacks AVX512-BF16");
        }
        match &self.0 {
            Form::Packed(matrix) => {
                let [outputs, inputs] = matrix.shape();
                Ok(Self(Form::Packed(PackedMatrix::new(&matrix.values(), outputs, inputs, Precision::Bf16))))
            }
            Form::Factors(factors) => Ok(Self(Form::Factors(Arc::new([factors[0].to_bf16()?, factors[1].to_bf16()?])))),
            // What is in memory is packed where there is bf16.
            Form::Transposed { .. } | Form::OnDemand(_) => {
                error("the model is larger than memory and is read from disk")
            }
        }
    }

    /// The values.
    pub(super) fn to_dense(&self) -> Result<Matrix> {
        let ([outputs, inputs], values) = match &self.0 {
            Form::Packed(matrix) => (matrix.shape(), matrix.values()),
            Form::Transposed { values, shape: [outputs, inputs] } => {
                let turned = (0..outputs * inputs).map(|i| values[i % inputs * outputs + i / inputs]);
                ([*outputs, *inputs], turned.collect())
            }
            Form::Factors(factors) => {
                let (inner, outer) = (factors[0].to_dense()?, factors[1].to_dense()?);
                let columns = inner.transpose();
                let shape = [outer.rows(), columns.rows()];
                let rows = CpuRows::new(columns.into_data(), inner.rows())?;
                // x W' of the unit rows is W's transpose.
                let turned = Matrix::new(shape[1], shape[0], factors[1].product(&rows)?);
                let turned = turned.map_err(|error| Error::Operands { op: "dense", why: error.to_string() })?;
                (shape, turned.transpose().into_data())
            }
            Form::OnDemand(source) => (source.shape(), source.rows(0..source.shape()[0])?),
        };
        Matrix::new(outputs, inputs, values).map_err(|error| Error::Operands { op: "dense", why: error.to_string() })
    }

    /// The packed matrix in f32, if that is the form.
    pub(super) fn packed(&self) -> Option<&PackedMatrix> {
        match &self.0 {
            Form::Packed(matrix) if matrix.precision() == Precision::F32 => Some(matrix),
            _ => None,
        }
    }

    fn shape(&self) -> [usize; 2] {
        match &self.0 {
            Form::Packed(matrix) => matrix.shape(),
            Form::Transposed { shape, .. } => *shape,
            Form::Factors(factors) => [factors[1].outputs(), factors[0].shape()[1]],
            Form::OnDemand(source) => source.shape(),
        }
    }

    /// `x W'`, row-major.
    pub(super) fn product(&self, x: &CpuRows) -> Result<Vec<f32>> {
        let [outputs, inputs] = self.shape();
        if x.width() != inputs {
            let why = format!("x has {} columns, the weight {inputs}", x.width());
            return Err(Error::Operands { op: "linear", why });
        }
        match &self.0 {
            Form::Packed(matrix) => Ok(matrix.product(x, x.len())),
            Form::Transposed { values, .. } => Ok(faer_product::linear(x, values, [x.len(), inputs, outputs])),
            Form::Factors(factors) => {
                let inner = CpuRows::new(factors[0].product(x)?, factors[0].outputs())?;
                factors[1].product(&inner)
            }
            Form::OnDemand(source) => Ok(linear_in_panels(x, x.len(), &**source)?),
        }
    }

    /// The number of outputs.
    pub(super) fn outputs(&self) -> usize {
        self.shape()[0]
    }
}
