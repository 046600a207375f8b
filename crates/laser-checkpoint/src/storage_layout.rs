//! Where a tensor of the model lies in a file's tensors: on its own, or as some rows of one that
//! several share.

use std::ops::Range;

use crate::{
    architecture::Architecture, architecture_table::Fused, convention::Convention, model_config::Config,
    param_id::ParamId, param_kind::ParamKind,
};
use laser_edit::MatrixKind;

/// Where a tensor of the model lies in a stored tensor.
///
/// The stored tensor, transposed first where it is stored so and its outer dimensions flattened
/// into rows, has `rows(shape)` rows; the model's tensor is made of some of them.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageLayout {
    /// The stored tensor's name.
    pub tensor: String,
    /// Its shape, as stored.
    pub shape: Vec<usize>,
    /// Whether it is stored as `[inputs, outputs]`.
    pub transposed: bool,
    /// The stored rows, all within this range.
    pub rows: Range<usize>,
    /// Which of the range comes at each row of the model's tensor; `None` for all in order.
    pub order: Option<Vec<usize>>,
}

impl StorageLayout {
    /// Where `param` lies; `None` where the format has no name for it.
    pub(crate) fn of(
        architecture: &Architecture,
        config: &Config,
        param: ParamId,
        convention: Convention,
    ) -> Option<Self> {
        let entry = architecture.entry(param.kind)?;
        let name = convention.name(entry, param.is_bias)?;
        let shape = param.shape(architecture, config);
        let (own_rows, cols) = (shape[0], shape.get(1).copied());
        let fused = convention.fused(entry);
        let transposed = convention.is_transposed(entry) && !param.is_bias;
        let stacked_experts = config.is_expert(param.kind) && !name.contains("{expert}");
        let tensor = name.replace("{layer}", &param.layer.to_string()).replace("{expert}", &param.expert.to_string());

        let with_cols = |rows: usize| [Some(rows), cols].into_iter().flatten().collect::<Vec<_>>();
        let mut rows = 0..own_rows;
        let mut order = None;
        let mut shape = with_cols(own_rows);
        // Rows of one expert, with those of the matrices that share its tensor.
        let mut expert_rows = own_rows;
        if let Some(fused) = fused {
            let sharers = sharers(architecture, config, param, convention);
            let total: usize = sharers.iter().map(|&(_, rows)| rows).sum();
            let before: usize = sharers.iter().take_while(|(kind, _)| *kind != param.kind).map(|&(_, rows)| rows).sum();
            shape = with_cols(total);
            expert_rows = total;
            match fused {
                Fused::Stacked => rows = before..before + own_rows,
                Fused::ByHead => {
                    // Of a key/value head: those of its query heads, its key, its value.
                    let heads = config.kv_heads.max(1);
                    let own = (own_rows / heads).max(1);
                    let (stride, before) = (total / heads, before / heads);
                    rows = 0..total;
                    order = Some((0..own_rows).map(|row| row / own * stride + before + row % own).collect());
                }
            }
        }
        if convention.is_interleaved(entry) {
            let heads = if param.kind == ParamKind::Matrix(MatrixKind::QProj) { config.heads } else { config.kv_heads };
            order = Some(interleaved(own_rows, heads));
        }
        if stacked_experts {
            let count = config.experts.map_or(1, |experts| experts.count);
            rows = param.expert * expert_rows + rows.start..param.expert * expert_rows + rows.end;
            shape.insert(0, count);
        }
        if transposed {
            shape.reverse();
        }
        Some(Self { tensor, shape, transposed, rows, order })
    }

    /// Rows of the stored tensor, in the model's orientation.
    pub fn stored_rows(&self) -> usize {
        match self.shape.as_slice() {
            [only] => *only,
            [_, cols] if self.transposed => *cols,
            [outer @ .., _] => outer.iter().product(),
            [] => 0,
        }
    }

    /// Columns of the stored tensor, in the model's orientation.
    pub fn cols(&self) -> usize {
        match self.shape.as_slice() {
            [_] | [] => 1,
            [rows, _] if self.transposed => *rows,
            [.., cols] => *cols,
        }
    }

    /// The values of the model's tensor, from those of the stored rows `self.rows`, or of the whole
    /// where it is transposed.
    pub fn extract(&self, stored: Vec<f32>) -> Vec<f32> {
        let cols = self.cols();
        let stored = if self.transposed { transpose(&stored, cols, self.stored_rows()) } else { stored };
        let rows = if self.transposed { &stored[self.rows.start * cols..self.rows.end * cols] } else { &stored[..] };
        match &self.order {
            Some(order) => order.iter().flat_map(|&row| &rows[row * cols..(row + 1) * cols]).copied().collect(),
            None if rows.len() == stored.len() => stored,
            None => rows.to_vec(),
        }
    }

    /// Puts the model's tensor `values` into `whole`, the stored tensor in the model's orientation.
    pub fn insert(&self, values: &[f32], whole: &mut [f32]) {
        let cols = self.cols();
        let rows = &mut whole[self.rows.start * cols..self.rows.end * cols];
        match &self.order {
            Some(order) => {
                for (from, &row) in values.chunks_exact(cols).zip(order) {
                    rows[row * cols..(row + 1) * cols].copy_from_slice(from);
                }
            }
            None => rows.copy_from_slice(values),
        }
    }

    /// `whole`, in the model's orientation, as it is stored.
    pub fn as_stored(&self, whole: Vec<f32>) -> Vec<f32> {
        if self.transposed { transpose(&whole, self.stored_rows(), self.cols()) } else { whole }
    }
}

/// The matrices of `param`'s layer that lie in the same tensor, in the order of the forward pass,
/// with their rows.
fn sharers(
    architecture: &Architecture,
    config: &Config,
    param: ParamId,
    convention: Convention,
) -> Vec<(ParamKind, usize)> {
    let own = architecture.entry(param.kind).and_then(|entry| convention.name(entry, param.is_bias));
    let kinds = MatrixKind::ALL.into_iter().map(ParamKind::Matrix);
    let same =
        kinds.filter(|&kind| architecture.entry(kind).and_then(|entry| convention.name(entry, param.is_bias)) == own);
    same.map(|kind| (kind, ParamId { kind, ..param }.shape(architecture, config)[0])).collect()
}

/// llama.cpp's converter stores row i + s * d/2 of each head (d rows, s = 0 or 1) as row 2i + s.
fn interleaved(rows: usize, heads: usize) -> Vec<usize> {
    let head_dim = (rows / heads.max(1)).max(1);
    let half = (head_dim / 2).max(1);
    let stored = |row: usize| 2 * (row % half) + row / half;
    (0..rows).map(|row| row / head_dim * head_dim + stored(row % head_dim)).collect()
}

/// The transpose of a row-major `rows` x `cols` matrix.
fn transpose(values: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    let mut turned = vec![0.0; values.len()];
    for row in 0..rows {
        for col in 0..cols {
            turned[col * rows + row] = values[row * cols + col];
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout_of(shape: &[usize], transposed: bool, rows: Range<usize>, order: Option<Vec<usize>>) -> StorageLayout {
        StorageLayout { tensor: "t".into(), shape: shape.to_vec(), transposed, rows, order }
    }

    #[test]
    fn parts_are_taken_out_and_put_back() {
        let whole: Vec<f32> = (0..24).map(|value| value as f32).collect();
        let cases = [
            layout_of(&[6, 4], false, 2..4, None),
            layout_of(&[4, 6], true, 2..4, None),
            layout_of(&[3, 2, 4], false, 2..4, None),
            layout_of(&[6, 4], false, 0..6, Some(vec![1, 4])),
        ];
        for layout in cases {
            let in_model = if layout.transposed { transpose(&whole, 4, 6) } else { whole.clone() };
            let cols = layout.cols();
            let stored = if layout.transposed {
                whole.clone()
            } else {
                whole[layout.rows.start * cols..layout.rows.end * cols].to_vec()
            };
            let part = layout.extract(stored);
            assert_eq!(part.len(), 2 * cols, "{layout:?}");
            let mut again = in_model.clone();
            for row in &mut again[layout.rows.start * cols..layout.rows.end * cols] {
                *row = if layout.order.is_some() { *row } else { -1.0 };
            }
            layout.insert(&part, &mut again);
            assert_eq!(layout.as_stored(again), whole, "{layout:?}");
        }
    }

    #[test]
    fn rotary_pairs_are_put_apart() {
        // Two heads of four rows: stored pairs (0, 1), (2, 3) are rows 0, 2 and 1, 3 of the head.
        assert_eq!(interleaved(8, 2), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
