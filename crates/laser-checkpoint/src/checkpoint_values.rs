//! The values of a checkpoint's tensors.

use std::ops::Range;

use laser_edit::MatrixId;
use laser_linalg::product;
use laser_matrix::Matrix;

use crate::{
    checkpoint::Checkpoint,
    error::{CheckpointError, Result},
    param_id::ParamId,
    param_kind::ParamKind,
};

impl Checkpoint {
    /// The embedding, learned positions, token types, a masked model's dense head transformation or
    /// the head, as `[rows, cols]`; `None` where the model has no such tensor. A head that is the
    /// embedding is not a tensor of its own.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn table(&self, kind: ParamKind) -> Result<Option<Matrix>> {
        let there = !kind.is_in_layer() && self.config().has_weight(self.architecture(), kind);
        there.then(|| self.read_matrix(ParamId::of(kind))).transpose()
    }

    /// A norm's weight, `[width]`, with what the family adds to it; `None` if the model has none.
    /// `layer` is 0 for the norms that are in no layer.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn norm(&self, kind: ParamKind, layer: usize) -> Result<Option<Vec<f32>>> {
        let there = kind.is_norm() && self.config().has_weight(self.architecture(), kind);
        there.then(|| self.read(ParamId::in_layer(kind, layer))).transpose()
    }

    /// The bias that goes with a kind's weight, `[outputs]` (of a norm `[width]`); `None` if it has
    /// none.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn bias(&self, kind: ParamKind, layer: usize, expert: Option<usize>) -> Result<Option<Vec<f32>>> {
        let param = ParamId { expert: expert.unwrap_or(0), ..ParamId::in_layer(kind, layer) };
        self.config().has_bias(kind).then(|| self.read(param.bias())).transpose()
    }

    /// A mixture's router, `[experts, hidden]`.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn router(&self, layer: usize) -> Result<Matrix> {
        self.read_matrix(ParamId::in_layer(ParamKind::Router, layer))
    }

    /// A matrix of the expert that every token goes through, or what weighs its output,
    /// `[outputs, inputs]`; `None` if the model has none.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn shared_expert(&self, kind: ParamKind, layer: usize) -> Result<Option<Matrix>> {
        let there = kind.is_shared_expert() && self.config().has(kind);
        there.then(|| self.read_matrix(ParamId::in_layer(kind, layer))).transpose()
    }

    /// A weight matrix, `[outputs, inputs]`, its rows in Hugging Face's order. In a mixture
    /// `matrix` names the expert.
    ///
    /// # Errors
    /// There is no such matrix or layer, the file contradicts itself, or a value is not finite.
    pub fn matrix(&self, layer: usize, matrix: impl Into<MatrixId>) -> Result<Matrix> {
        let matrix = matrix.into();
        matrix.check(self.config())?;
        self.read_matrix(ParamId::of_matrix(layer, matrix))
    }

    /// Some rows of a weight matrix, row-major: what [`matrix`](Self::matrix) has there.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    pub fn matrix_rows(&self, layer: usize, matrix: MatrixId, rows: Range<usize>) -> Result<Vec<f32>> {
        matrix.check(self.config())?;
        let param = ParamId::of_matrix(layer, matrix);
        self.check_layer(param)?;
        if self.tensors().thin(param).is_some() {
            let [all, cols] = self.config().matrix_shape(matrix.kind);
            return Ok(self.read(param)?[rows.start.min(all) * cols..rows.end.min(all) * cols].to_vec());
        }
        let layout = self.layout(param)?;
        let [all, cols] = self.config().matrix_shape(matrix.kind);
        let rows = rows.start.min(all)..rows.end.min(all);
        if layout.transposed {
            return Ok(self.read(param)?[rows.start * cols..rows.end * cols].to_vec());
        }
        let precision = self.stored_precision(param)?;
        let stored = self.stored(&layout.tensor)?;
        stored.check_unchanged()?;
        let bytes = stored.bytes();
        let row_bytes = bytes.len().checked_div(layout.stored_rows()).unwrap_or(0);
        let decode =
            |first: usize, count: usize| precision.decode(&bytes[first * row_bytes..(first + count) * row_bytes]);
        let values = match &layout.order {
            None => decode(layout.rows.start + rows.start, rows.len()),
            Some(order) => order[rows.clone()].iter().flat_map(|row| decode(layout.rows.start + row, 1)).collect(),
        };
        stored.check_unchanged()?;
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(CheckpointError::NotFinite {
                tensor: layout.tensor,
                path: stored.path().to_owned(),
                index: rows.start * cols + index,
            }),
        }
    }

    /// The tensor's values as float32, row-major, rows in Hugging Face's order. A norm's weights
    /// include what the family adds to them.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn read(&self, param: ParamId) -> Result<Vec<f32>> {
        self.check_layer(param)?;
        if let Some(factors) = self.factors_of(param)? {
            return Ok(product(&factors).into_data());
        }
        let precision = self.stored_precision(param)?;
        let layout = self.layout(param)?;
        let stored = self.stored(&layout.tensor)?;
        // The bytes of the rows that are needed: rows are never cut within a block of a quantised
        // type, but a vector may be.
        let is_vector = layout.shape.len() == 1;
        stored.check_unchanged()?;
        let bytes = stored.bytes();
        let row_bytes = bytes.len().checked_div(layout.stored_rows()).unwrap_or(0);
        let range = layout.rows.start * row_bytes..layout.rows.end * row_bytes;
        let whole = layout.transposed || is_vector;
        let mut values = precision.decode(if whole { &bytes } else { &bytes[range] });
        stored.check_unchanged()?;
        if is_vector {
            values = values.get(layout.rows.clone()).map(<[f32]>::to_vec).unwrap_or_default();
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let first = if layout.transposed { 0 } else { layout.rows.start * layout.cols() };
            return Err(CheckpointError::NotFinite {
                tensor: layout.tensor,
                path: stored.path().to_owned(),
                index: first + index,
            });
        }
        let mut values = layout.extract(values);
        let offset = self.convention().norm_offset(self.architecture());
        if offset != 0.0 && param.kind.is_norm() && !param.is_bias {
            values.iter_mut().for_each(|value| *value += offset);
        }
        Ok(values)
    }

    /// The same of a matrix, `[outputs, inputs]`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_matrix(&self, param: ParamId) -> Result<Matrix> {
        let values = self.read(param)?;
        let shape = param.shape(self.architecture(), self.config());
        let (found, expected) = (vec![values.len()], shape.clone());
        Matrix::new(shape[0], shape[1], values).map_err(|_| CheckpointError::WrongShape {
            tensor: param.kind.to_string(),
            path: self.path().to_owned(),
            expected,
            found,
        })
    }

    pub(crate) fn check_layer(&self, param: ParamId) -> Result<()> {
        if param.layer < self.config().layers {
            return Ok(());
        }
        let layer = i64::try_from(param.layer).unwrap_or(i64::MAX);
        Err(CheckpointError::LayerOutOfRange { layer, count: self.config().layers })
    }
}
