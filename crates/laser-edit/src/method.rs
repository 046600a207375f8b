//! What an edit method is.

use std::any::Any;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use laser_matrix::{Basis, Decompose, EditedMatrix, Rho, SvdError};

use crate::fields::{Fields, Kind, Value};

/// One edit: a method with its numbers. Its `Display` is the text form, which [`Form::from_text`] reads.
pub trait EditMethod: fmt::Debug + fmt::Display + Any + Equal + Send + Sync {
    /// The fields of the JSON form, in its order: those of the [`Form`], by the same names.
    fn json(&self) -> Vec<(&'static str, Value)>;

    /// The rank that is kept of a `rows` x `cols` matrix, if the edit keeps one.
    fn kept_rank(&self, rows: usize, cols: usize) -> Option<usize>;

    /// The number of row blocks and the kept fraction of their rank, for a reduction by a fraction: its place in the grid of
    /// an exhaustive search, in the table of its results, and in the order of a composition.
    fn grid_point(&self) -> Option<(NonZeroUsize, Rho)> {
        None
    }

    /// The basis that the matrix must have been decomposed in before [`apply`](Self::apply), for a method that needs more than
    /// the matrix.
    fn basis(&self) -> Option<Basis> {
        None
    }

    /// # Errors
    /// Why a `rows` x `cols` matrix cannot be edited in this way.
    fn check_shape(&self, _rows: usize, _cols: usize) -> Result<(), String> {
        Ok(())
    }

    /// The edited matrix, of the same shape. [`check_shape`](Self::check_shape) has been asked before.
    ///
    /// # Errors
    /// If the matrix has no decomposition.
    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError>;
}

/// Comparison of methods of which only the trait is known; every `PartialEq` has it.
pub trait Equal {
    /// Whether the two are of one method, with the same numbers.
    fn equals(&self, other: &dyn EditMethod) -> bool;
}

impl<T: EditMethod + PartialEq> Equal for T {
    fn equals(&self, other: &dyn EditMethod) -> bool {
        (other as &dyn Any).downcast_ref::<T>() == Some(self)
    }
}

/// How a method is written.
#[derive(Debug)]
pub struct Form {
    /// What tells it from other texts.
    pub text: Text,
    /// An example, as it stands in a list of all.
    pub example: &'static str,
    /// Its JSON fields.
    pub fields: &'static [(&'static str, Kind)],
    /// Reads what follows the `=` of a [`Text::Key`], or the whole [`Text::Value`] or [`Text::Word`].
    pub from_text: fn(&str) -> Result<Arc<dyn EditMethod>, Wrong>,
    /// Reads the fields, all of which are there.
    pub from_json: fn(&Fields) -> Result<Arc<dyn EditMethod>, String>,
}

impl Form {
    /// Whether text or JSON of the one would be taken for the other.
    pub(crate) fn is_written_as(&self, other: &Self) -> bool {
        let other_kind = |(name, kind): &(&str, Kind)| other.fields.iter().any(|(of, its)| of == name && its != kind);
        self.text == other.text || self.fields == other.fields || self.fields.iter().any(other_kind)
    }
}

/// The text form of a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Text {
    /// `tail=0.01`.
    Key(&'static str),
    /// `zero`.
    Word(&'static str),
    /// `0.01`.
    Value,
}

/// Why a text is not of a form.
#[derive(Debug)]
pub enum Wrong {
    /// This is not a number.
    Number(String),
    /// In words.
    Other(String),
}

/// A fraction in a text form.
///
/// # Errors
/// If it is not a number from 0 to 1.
pub fn fraction(text: &str) -> Result<Rho, Wrong> {
    let number: f64 = text.parse().map_err(|_| Wrong::Number(text.to_owned()))?;
    Rho::new(number).map_err(|error| Wrong::Other(error.to_string()))
}

/// The matrix as it is, for an edit that removes nothing: not even a rounding error.
pub fn unchanged(matrix: &dyn Decompose) -> EditedMatrix {
    EditedMatrix::Dense(matrix.matrix().clone())
}
