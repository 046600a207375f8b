//! All but a band of the spectrum: the bulk is often cheap to remove (arXiv 2410.17770).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use laser_matrix::{Decompose, EditedMatrix, Rho, SvdError, rank_for};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text, Wrong, fraction, unchanged};

/// Removes the singular components between two fractions of the maximum rank, and keeps both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Band {
    from: Rho,
    to: Rho,
}

pub(crate) const FORMS: &[Form] = &[Form {
    text: Text::Key("band"),
    example: "band=0.1,0.6",
    fields: &[("band", Kind::Fractions(2))],
    from_text: |text| {
        let (from, to) = text
            .split_once(',')
            .ok_or_else(|| Wrong::Other("band needs two fractions, as in band=0.1,0.6".to_owned()))?;
        Ok(Arc::new(Band::new(fraction(from)?, fraction(to)?).map_err(Wrong::Other)?))
    },
    from_json: |fields| {
        let [from, to] = fields.fractions("band")?;
        Ok(Arc::new(Band::new(from, to)?))
    },
}];

impl Band {
    fn new(from: Rho, to: Rho) -> Result<Self, String> {
        match from < to {
            true => Ok(Self { from, to }),
            false => Err(format!("a band must begin below its end, not at {} of {}", from.get(), to.get())),
        }
    }

    fn removed(self, rows: usize, cols: usize) -> Range<usize> {
        rank_for(self.from, rows, cols)..rank_for(self.to, rows, cols)
    }
}

impl EditMethod for Band {
    fn json(&self) -> Vec<(&'static str, Value)> {
        vec![("band", Value::Fractions(vec![self.from.get(), self.to.get()]))]
    }

    fn kept_rank(&self, rows: usize, cols: usize) -> Option<usize> {
        Some(rows.min(cols) - self.removed(rows, cols).len())
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        let (rows, cols) = (matrix.matrix().rows(), matrix.matrix().cols());
        let removed = self.removed(rows, cols);
        if removed.is_empty() {
            return Ok(unchanged(matrix));
        }
        matrix.components(&[0..removed.start, removed.end..rows.min(cols)]).map(EditedMatrix::LowRank)
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "band={},{}", self.from.get(), self.to.get())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Edit, Intervention};
    use laser_linalg::{DecomposedMatrix, Svd, dense, product};
    use laser_matrix::Matrix;

    fn apply(text: &str, matrix: &Matrix) -> Matrix {
        dense(text.parse::<Edit>().unwrap().apply(&DecomposedMatrix::new(matrix.clone())).unwrap())
    }

    /// Without structure, of singular values that are apart.
    fn matrix(rows: usize, cols: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |i, j| ((i * 31 + j * 17 + i * j) % 23) as f32 / 23.0 - 0.5)
    }

    #[test]
    fn forms() {
        for (text, json) in [
            ("2.fc_in:band=0.1,0.6", r#"{"layer":2,"matrix":"fc_in","band":[0.1,0.6]}"#),
            ("2.fc_in:band=0,1", r#"{"layer":2,"matrix":"fc_in","band":[0.0,1.0]}"#),
        ] {
            let intervention: Intervention = serde_json::from_str(json).unwrap();
            assert_eq!(intervention.to_string(), text);
            assert_eq!(serde_json::to_string(&intervention).unwrap(), json);
            let edit: Edit = text.split_once(':').unwrap().1.parse().unwrap();
            assert_eq!(edit, intervention.edit);
        }
    }

    #[test]
    fn bad_bands_say_what_is_wrong() {
        for (text, expected) in [
            ("band=0.1", "band needs two fractions, as in band=0.1,0.6"),
            ("band=0.6,0.1", "a band must begin below its end, not at 0.6 of 0.1"),
            ("band=0.1,0.1", "a band must begin below its end"),
            ("band=0.1,1.5", "from 0 to 1, not 1.5"),
            ("band=a,0.5", "\"a\" is not a number"),
            ("band=0.1,0.2,0.3", "\"0.2,0.3\" is not a number"),
        ] {
            let error = text.parse::<Edit>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for band in ["[0.1]", "[0.1,0.5,0.6]", "[0.6,0.1]", "[0.1,1.5]", "0.1", "[0.1,\"a\"]"] {
            let json = format!(r#"{{"layer":2,"matrix":"fc_in","band":{band}}}"#);
            assert!(serde_json::from_str::<Intervention>(&json).is_err(), "{json}");
        }
    }

    #[test]
    fn both_ends_are_kept() {
        let w = matrix(12, 10);
        let svd = Svd::of(&w).unwrap();
        let band = apply("band=0.2,0.7", &w);
        assert_eq!(band, product(&svd.components(&[0..2, 7..10])));
        // What is removed and what is kept add up to the matrix.
        let removed = product(&svd.components(&[2..7]));
        for ((kept, removed), w) in band.data().iter().zip(removed.data()).zip(w.data()) {
            assert!((kept + removed - w).abs() < 1e-5);
        }
        let edit: Edit = "band=0.2,0.7".parse().unwrap();
        assert_eq!((edit.kept_rank(12, 10), edit.kept_fraction()), (Some(5), None));
    }

    #[test]
    fn a_band_at_an_end_is_a_truncation_or_a_tail() {
        let w = matrix(9, 14);
        assert_eq!(apply("band=0.34,1", &w), apply("0.34", &w));
        assert_eq!(apply("band=0,0.34", &w), apply("tail=0.34", &w));
        assert_eq!(apply("band=0,1", &w), Matrix::zeros(9, 14));
    }

    #[test]
    fn a_band_that_covers_nothing_changes_no_bit() {
        let w = matrix(9, 14);
        for text in ["band=0.12,0.21", "band=0,0.1", "band=0.99,0.999"] {
            let same = apply(text, &w).data().iter().zip(w.data()).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{text}");
        }
        // 0.29 * 100 is 28.999999999999996, and is meant as 29.
        let edit: Edit = "band=0.29,0.3".parse().unwrap();
        assert_eq!(edit.kept_rank(100, 100), Some(99));
    }
}
