//! Nothing is left.

use std::fmt;
use std::sync::Arc;

use laser_matrix::{Decompose, EditedMatrix, LowRank, SvdError};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text};

/// All zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Zero;

pub(crate) const FORMS: &[Form] = &[Form {
    text: Text::Word("zero"),
    example: "zero",
    fields: &[("zero", Kind::Flag)],
    from_text: |_| Ok(Arc::new(Zero)),
    from_json: |_| Ok(Arc::new(Zero)),
}];

impl EditMethod for Zero {
    fn json(&self) -> Vec<(&'static str, Value)> {
        vec![("zero", Value::Flag(true))]
    }

    fn kept_rank(&self, _rows: usize, _cols: usize) -> Option<usize> {
        Some(0)
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        Ok(EditedMatrix::LowRank(LowRank::zero(matrix.matrix().rows(), matrix.matrix().cols())))
    }
}

impl fmt::Display for Zero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("zero")
    }
}
