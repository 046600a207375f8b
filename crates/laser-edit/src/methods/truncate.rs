//! The paper's reduction: the best approximation of lower rank (Eckart and Young 1936), by a fraction of the maximum rank or
//! by the rank itself.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use laser_matrix::{Decompose, EditedMatrix, Rho, SvdError, rank_for};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text, Wrong, fraction, unchanged};

/// Keeps the largest singular components.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Truncate {
    /// floor(rho * min(rows, cols)) of them.
    Rho(Rho),
    /// So many.
    Rank(usize),
}

pub(crate) const FORMS: &[Form] = &[
    Form {
        text: Text::Value,
        example: "a fraction such as 0.01",
        fields: &[("rho", Kind::Fractions(1))],
        from_text: |text| Ok(Arc::new(Truncate::Rho(fraction(text)?))),
        from_json: |fields| Ok(Arc::new(Truncate::Rho(fields.fraction("rho")?))),
    },
    Form {
        text: Text::Key("rank"),
        example: "rank=41",
        fields: &[("rank", Kind::Count)],
        from_text: |text| {
            let wrong = |_| Wrong::Other(format!("{text:?} is not a rank; rank=41 keeps 41 components"));
            Ok(Arc::new(Truncate::Rank(text.parse().map_err(wrong)?)))
        },
        from_json: |fields| Ok(Arc::new(Truncate::Rank(fields.count("rank")?))),
    },
];

impl Truncate {
    fn rank(self, rows: usize, cols: usize) -> usize {
        match self {
            Self::Rho(rho) => rank_for(rho, rows, cols),
            Self::Rank(rank) => rank,
        }
    }
}

impl EditMethod for Truncate {
    fn json(&self) -> Vec<(&'static str, Value)> {
        match *self {
            Self::Rho(rho) => vec![("rho", Value::Fractions(vec![rho.get()]))],
            Self::Rank(rank) => vec![("rank", Value::Count(rank))],
        }
    }

    fn kept_rank(&self, rows: usize, cols: usize) -> Option<usize> {
        Some(self.rank(rows, cols))
    }

    fn grid_point(&self) -> Option<(NonZeroUsize, Rho)> {
        match *self {
            Self::Rho(rho) => Some((NonZeroUsize::MIN, rho)),
            Self::Rank(_) => None,
        }
    }

    fn check_shape(&self, rows: usize, cols: usize) -> Result<(), String> {
        let full = rows.min(cols);
        match *self {
            Self::Rank(rank) if rank > full => {
                Err(format!("the matrix is {rows} x {cols}: its rank is at most {full}"))
            }
            _ => Ok(()),
        }
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        let (rows, cols) = (matrix.matrix().rows(), matrix.matrix().cols());
        let rank = self.rank(rows, cols);
        if rank == rows.min(cols) {
            return Ok(unchanged(matrix));
        }
        matrix.components(&[0..rank]).map(EditedMatrix::LowRank)
    }
}

impl fmt::Display for Truncate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rho(rho) => write!(f, "{}", rho.get()),
            Self::Rank(rank) => write!(f, "rank={rank}"),
        }
    }
}
