//! The rows in blocks, each reduced ("Compress to Impress", arXiv 2510.20800).

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use laser_matrix::{Decompose, EditedMatrix, Rho, SvdError, rank_for};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text, Wrong, fraction};

/// Cuts the rows into blocks and reduces each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RowBlocks {
    /// Number of blocks.
    pub(crate) blocks: NonZeroUsize,
    /// Kept fraction of each block's maximum rank.
    pub(crate) rho: Rho,
}

pub(crate) const FORMS: &[Form] = &[Form {
    text: Text::Key("blocks"),
    example: "blocks=4,0.05",
    fields: &[("blocks", Kind::Positive), ("rho", Kind::Fractions(1))],
    from_text: |text| {
        let wrong = |why: &str| Wrong::Other(why.to_owned());
        let (blocks, rho) =
            text.split_once(',').ok_or_else(|| wrong("blocks needs a number and a fraction, as in blocks=4,0.05"))?;
        let blocks = blocks.parse().map_err(|_| wrong("the number of blocks must be a whole number from 1"))?;
        Ok(Arc::new(RowBlocks { blocks, rho: fraction(rho)? }))
    },
    from_json: |fields| Ok(Arc::new(RowBlocks { blocks: fields.positive("blocks")?, rho: fields.fraction("rho")? })),
}];

impl EditMethod for RowBlocks {
    fn json(&self) -> Vec<(&'static str, Value)> {
        vec![("blocks", Value::Positive(self.blocks)), ("rho", Value::Fractions(vec![self.rho.get()]))]
    }

    fn kept_rank(&self, _rows: usize, _cols: usize) -> Option<usize> {
        None
    }

    fn grid_point(&self) -> Option<(NonZeroUsize, Rho)> {
        Some((self.blocks, self.rho))
    }

    fn check_shape(&self, rows: usize, _cols: usize) -> Result<(), String> {
        match self.blocks.get() > rows {
            true => Err(format!("the matrix has {rows} rows: use at most as many blocks")),
            false => Ok(()),
        }
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        matrix.row_blocks(self.blocks, &|rows, cols| rank_for(self.rho, rows, cols)).map(EditedMatrix::Dense)
    }
}

impl fmt::Display for RowBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocks={},{}", self.blocks, self.rho.get())
    }
}
