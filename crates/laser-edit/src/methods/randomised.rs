//! What the paper's published code does in place of a truncation: a randomised approximation, which is not the best one.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use laser_matrix::{Decompose, EditedMatrix, Rho, SvdError, rank_for};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text, fraction, unchanged};

/// Of the paper's code, `torch.svd_lowrank(niter=2)`; its random numbers are unseeded, ours are always the same.
const POWER_ITERATIONS: usize = 2;
const SEED: u64 = 0;

/// A randomised approximation of the rank that this fraction keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Randomised(pub(crate) Rho);

pub(crate) const FORMS: &[Form] = &[Form {
    text: Text::Key("randomised"),
    example: "randomised=0.01",
    fields: &[("randomised", Kind::Fractions(1))],
    from_text: |text| Ok(Arc::new(Randomised(fraction(text)?))),
    from_json: |fields| Ok(Arc::new(Randomised(fields.fraction("randomised")?))),
}];

impl EditMethod for Randomised {
    fn json(&self) -> Vec<(&'static str, Value)> {
        vec![("randomised", Value::Fractions(vec![self.0.get()]))]
    }

    fn kept_rank(&self, rows: usize, cols: usize) -> Option<usize> {
        Some(rank_for(self.0, rows, cols))
    }

    fn grid_point(&self) -> Option<(NonZeroUsize, Rho)> {
        Some((NonZeroUsize::MIN, self.0))
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        let (rows, cols) = (matrix.matrix().rows(), matrix.matrix().cols());
        let rank = rank_for(self.0, rows, cols);
        if rank == rows.min(cols) {
            return Ok(unchanged(matrix));
        }
        matrix.randomised(rank, POWER_ITERATIONS, SEED).map(EditedMatrix::LowRank)
    }
}

impl fmt::Display for Randomised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "randomised={}", self.0.get())
    }
}
