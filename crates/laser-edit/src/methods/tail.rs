//! Only what a truncation would remove.

use std::fmt;
use std::sync::Arc;

use laser_matrix::{Decompose, EditedMatrix, Rho, SvdError, rank_for};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text, fraction, unchanged};

/// Keeps the singular components that the reduction to this fraction removes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tail(Rho);

pub(crate) const FORMS: &[Form] = &[Form {
    text: Text::Key("tail"),
    example: "tail=0.01",
    fields: &[("tail", Kind::Fractions(1))],
    from_text: |text| Ok(Arc::new(Tail(fraction(text)?))),
    from_json: |fields| Ok(Arc::new(Tail(fields.fraction("tail")?))),
}];

impl EditMethod for Tail {
    fn json(&self) -> Vec<(&'static str, Value)> {
        vec![("tail", Value::Fractions(vec![self.0.get()]))]
    }

    fn kept_rank(&self, rows: usize, cols: usize) -> Option<usize> {
        Some(rows.min(cols) - rank_for(self.0, rows, cols))
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        let (rows, cols) = (matrix.matrix().rows(), matrix.matrix().cols());
        let removed = rank_for(self.0, rows, cols);
        if removed == 0 {
            return Ok(unchanged(matrix));
        }
        matrix.components(&[removed..rows.min(cols)]).map(EditedMatrix::LowRank)
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tail={}", self.0.get())
    }
}
