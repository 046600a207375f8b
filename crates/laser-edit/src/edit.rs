//! What is done to a matrix, by any method.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;

use laser_matrix::{Basis, Decompose, EditedMatrix, Rho, SvdError};

use crate::EditError;
use crate::fields::{Fields, Kind, Value};
use crate::method::{EditMethod, Form, Text, Wrong};
use crate::methods::{forms, randomised::Randomised, row_blocks::RowBlocks, truncate::Truncate};

/// What is done to a matrix: one of the methods, with its numbers. Text form: a fraction `0.01`, or `rank=41`, `tail=0.01`,
/// `zero` ...
#[derive(Clone)]
pub struct Edit(Arc<dyn EditMethod>);

impl Edit {
    /// Keep the floor(rho * min(rows, cols)) largest singular components (the paper's reduction).
    pub fn rho(rho: Rho) -> Self {
        Self(Arc::new(Truncate::Rho(rho)))
    }

    /// Keep this many of the largest singular components.
    pub fn rank(rank: usize) -> Self {
        Self(Arc::new(Truncate::Rank(rank)))
    }

    /// What the paper's published code does in place of [`Self::rho`]: a randomised approximation of that rank.
    pub fn randomised(rho: Rho) -> Self {
        Self(Arc::new(Randomised(rho)))
    }

    /// Cut the rows into blocks and keep this fraction of each block's maximum rank.
    pub fn row_blocks(blocks: NonZeroUsize, rho: Rho) -> Self {
        Self(Arc::new(RowBlocks { blocks, rho }))
    }

    /// The rank that is kept of a `rows` x `cols` matrix, if the edit keeps one.
    pub fn kept_rank(&self, rows: usize, cols: usize) -> Option<usize> {
        self.0.kept_rank(rows, cols)
    }

    /// The kept fraction, if this is a reduction by a fraction.
    pub fn kept_fraction(&self) -> Option<f64> {
        self.grid_point().map(|(_, rho)| rho)
    }

    /// The number of row blocks (1 for the matrix as a whole) and the kept fraction, if this is a reduction by a fraction:
    /// its place in the grid of an exhaustive search.
    pub fn grid_point(&self) -> Option<(usize, f64)> {
        self.0.grid_point().map(|(blocks, rho)| (blocks.get(), rho.get()))
    }

    /// The basis that a matrix must have been decomposed in before it is edited, if it is not its own.
    pub fn basis(&self) -> Option<Basis> {
        self.0.basis()
    }

    /// Whether it depends on a calibration text.
    pub fn is_calibrated(&self) -> bool {
        self.basis().is_some_and(Basis::is_observed)
    }

    pub(crate) fn check_shape(&self, rows: usize, cols: usize) -> Result<(), String> {
        self.0.check_shape(rows, cols)
    }

    pub(crate) fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        self.0.apply(matrix)
    }

    pub(crate) fn json(&self) -> Vec<(&'static str, Value)> {
        self.0.json()
    }

    pub(crate) fn from_json(fields: &Fields) -> Result<Self, String> {
        match forms().find(|form| fields.are(form.fields)) {
            Some(form) => (form.from_json)(fields).map(Self),
            None => Err(format!("a reduction needs one of {}", fields_of_all())),
        }
    }

    /// The edit of a text, or what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (form, value) = match text.split_once('=') {
            Some((key, value)) => match forms().find(|form| matches!(form.text, Text::Key(known) if known == key)) {
                Some(form) => (form, value),
                None => return Err(format!("unknown edit {key:?}: {}{}", nearest(key), examples())),
            },
            None => {
                let word = forms().find(|form| matches!(form.text, Text::Word(known) if known == text));
                match word.or_else(|| forms().find(|form| form.text == Text::Value)) {
                    Some(form) => (form, text),
                    None => return Err(examples()),
                }
            }
        };
        (form.from_text)(value).map(Self).map_err(|wrong| match wrong {
            Wrong::Number(found) => format!("{found:?} is not a number: {}{}", nearest(&found), examples()),
            Wrong::Other(why) => why,
        })
    }
}

/// The name and kind of a JSON field that some method has.
pub(crate) fn field(name: &str) -> Option<(&'static str, Kind)> {
    forms().flat_map(|form| form.fields).find(|(known, _)| *known == name).copied()
}

/// The names of all JSON fields.
pub(crate) fn field_names() -> Vec<&'static str> {
    let all: Vec<&str> = forms().flat_map(|form| form.fields).map(|(name, _)| *name).collect();
    // A field of several methods stands where the last of them is.
    (0..all.len()).filter(|&i| !all[i + 1..].contains(&all[i])).map(|i| all[i]).collect()
}

/// A question whether the edit with a key or a word like `found` was meant; empty where there is none.
fn nearest(found: &str) -> String {
    let name = |form: &Form| match form.text {
        Text::Key(name) | Text::Word(name) => Some(name),
        Text::Value => None,
    };
    let near = laser_guard::nearest(found, forms().filter_map(name));
    let form = near.and_then(|near| forms().find(|form| name(form) == Some(near)));
    form.map_or_else(String::new, |form| format!("did you mean {}? ", form.example))
}

fn examples() -> String {
    let all: Vec<&str> = forms().map(|form| form.example).collect();
    match all.split_last() {
        Some((last, others)) => format!("the edits are {} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Those of one field first.
fn fields_of_all() -> String {
    let name =
        |&(name, kind): &(&str, Kind)| if kind == Kind::Flag { format!("{name} (true)") } else { name.to_owned() };
    let of = |single: bool| {
        let some = forms().filter(move |form| (form.fields.len() == 1) == single);
        some.map(|form| form.fields.iter().map(name).collect::<Vec<_>>().join(" and ")).collect::<Vec<_>>()
    };
    format!("{}, or {}", of(true).join(", "), of(false).join(", or "))
}

impl PartialEq for Edit {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(&*other.0)
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Edit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        Self::parse(text).map_err(|why| EditError::Text { text: text.to_owned(), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_all_methods_come_from_the_registry() {
        assert!(
            examples().starts_with(
                "the edits are a fraction such as 0.01, rank=41, tail=0.01, zero, prune=0.9, blocks=4,0.05"
            )
        );
        assert!(fields_of_all().starts_with("rho, rank, tail, zero (true), prune, randomised"));
        assert!(fields_of_all().ends_with(", or blocks and rho, or stacked and rho"));
        assert!(field_names().starts_with(&["rank", "tail", "zero", "prune", "blocks", "randomised"]));
        assert!(field_names().ends_with(&["stacked", "rho"]));
    }

    #[test]
    fn forms_do_not_contradict_each_other() {
        for (number, form) in forms().enumerate() {
            for other in forms().skip(number + 1) {
                assert_ne!(form.text, other.text);
                assert_ne!(form.fields, other.fields);
                for (name, kind) in form.fields {
                    assert!(other.fields.iter().all(|(other, of)| other != name || of == kind), "{name}");
                }
            }
            assert!(form.fields.iter().all(|(name, _)| !["layer", "matrix"].contains(name)));
        }
    }
}
