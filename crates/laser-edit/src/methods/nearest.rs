//! Truncation in another basis than the matrix's own. `whitened` changes the outputs on a calibration text least (ASVD, arXiv
//! 2312.05821; SVD-LLM, arXiv 2403.07378). `kfac` changes the loss least, as far as a Kronecker-factored curvature tells (arXiv
//! 1503.05671; LEMS, arXiv 2510.24256, drops what has little of that curvature from its eigenbasis). `stacked` shares one factor
//! among neighbouring layers (TRAWL, arXiv 2406.17261, decomposes the stack as a tensor).

use std::fmt;
use std::sync::Arc;

use laser_matrix::{Basis, Decompose, EditedMatrix, Rho, SvdError, rank_for};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text, Wrong, fraction, unchanged};

/// Keeps floor(rho * min(rows, cols)) components of the matrix in a basis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Nearest {
    basis: Basis,
    rho: Rho,
}

const WHITENED: &str = "whitened";
const KFAC: &str = "kfac";
const STACKED: &str = "stacked";

pub(crate) const FORMS: &[Form] = &[
    Form {
        text: Text::Key(WHITENED),
        example: "whitened=0.1",
        fields: &[(WHITENED, Kind::Fractions(1))],
        from_text: |text| Ok(Arc::new(Nearest { basis: Basis::Inputs, rho: fraction(text)? })),
        from_json: |fields| Ok(Arc::new(Nearest { basis: Basis::Inputs, rho: fields.fraction(WHITENED)? })),
    },
    Form {
        text: Text::Key(KFAC),
        example: "kfac=0.1",
        fields: &[(KFAC, Kind::Fractions(1))],
        from_text: |text| Ok(Arc::new(Nearest { basis: Basis::InputsAndGradients, rho: fraction(text)? })),
        from_json: |fields| Ok(Arc::new(Nearest { basis: Basis::InputsAndGradients, rho: fields.fraction(KFAC)? })),
    },
    Form {
        text: Text::Key(STACKED),
        example: "stacked=3,0.1",
        fields: &[(STACKED, Kind::Positive), ("rho", Kind::Fractions(1))],
        from_text: |text| {
            let wrong = |why: &str| Wrong::Other(why.to_owned());
            let form = "stacked needs a number of layers and a fraction, as in stacked=3,0.1";
            let (layers, rho) = text.split_once(',').ok_or_else(|| wrong(form))?;
            let layers = layers.parse().map_err(|_| wrong("the number of layers must be a whole number from 1"))?;
            Ok(Arc::new(Nearest { basis: Basis::Stack(layers), rho: fraction(rho)? }))
        },
        from_json: |fields| {
            let basis = Basis::Stack(fields.positive(STACKED)?);
            Ok(Arc::new(Nearest { basis, rho: fields.fraction("rho")? }))
        },
    },
];

impl Nearest {
    fn key(self) -> &'static str {
        match self.basis {
            Basis::Inputs => WHITENED,
            Basis::InputsAndGradients => KFAC,
            Basis::Stack(_) => STACKED,
        }
    }
}

impl EditMethod for Nearest {
    fn json(&self) -> Vec<(&'static str, Value)> {
        let rho = Value::Fractions(vec![self.rho.get()]);
        match self.basis {
            Basis::Stack(layers) => vec![(STACKED, Value::Positive(layers)), ("rho", rho)],
            Basis::Inputs | Basis::InputsAndGradients => vec![(self.key(), rho)],
        }
    }

    fn kept_rank(&self, rows: usize, cols: usize) -> Option<usize> {
        Some(rank_for(self.rho, rows, cols))
    }

    fn basis(&self) -> Option<Basis> {
        // All of the matrix is the matrix.
        (self.rho.get() < 1.0).then_some(self.basis)
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        let (rows, cols) = (matrix.matrix().rows(), matrix.matrix().cols());
        let rank = rank_for(self.rho, rows, cols);
        if rank == rows.min(cols) {
            return Ok(unchanged(matrix));
        }
        matrix.nearest(self.basis, rank).map(EditedMatrix::LowRank)
    }
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, rho) = (self.key(), self.rho.get());
        match self.basis {
            Basis::Stack(layers) => write!(f, "{key}={layers},{rho}"),
            Basis::Inputs | Basis::InputsAndGradients => write!(f, "{key}={rho}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Edit, Intervention};
    use laser_linalg::{DecomposedMatrix, dense};
    use laser_matrix::{Basis, EditedMatrix, Matrix, Observed, SvdError};

    fn matrix(rows: usize, cols: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |i, j| ((i * 31 + j * 17 + i * j) % 23) as f32 / 23.0 - 0.5)
    }

    #[test]
    fn forms() {
        for (text, json) in [
            ("2.fc_in:whitened=0.2", r#"{"layer":2,"matrix":"fc_in","whitened":0.2}"#),
            ("2.fc_in:kfac=0.01", r#"{"layer":2,"matrix":"fc_in","kfac":0.01}"#),
            ("2.fc_in:stacked=3,0.01", r#"{"layer":2,"matrix":"fc_in","stacked":3,"rho":0.01}"#),
        ] {
            let intervention: Intervention = serde_json::from_str(json).unwrap();
            assert_eq!(intervention.to_string(), text);
            assert_eq!(serde_json::to_string(&intervention).unwrap(), json);
            let edit: Edit = text.split_once(':').unwrap().1.parse().unwrap();
            assert_eq!(edit, intervention.edit);
        }
        assert_ne!("whitened=0.2".parse::<Edit>().unwrap(), "kfac=0.2".parse().unwrap());
    }

    #[test]
    fn what_was_not_observed_is_said() {
        let mut editable = DecomposedMatrix::new(matrix(9, 14));
        let (whitened, kfac): (Edit, Edit) = ("whitened=0.5".parse().unwrap(), "kfac=0.5".parse().unwrap());
        assert_eq!(whitened.apply(&editable).unwrap_err(), SvdError::NoBasis);
        let observed = Observed { inputs: matrix(20, 14), gradients: None };
        editable.observe(Basis::Inputs, &observed).unwrap();
        assert_eq!(editable.observe(Basis::InputsAndGradients, &observed), Err(SvdError::NoBasis));
        let EditedMatrix::LowRank(factors) = whitened.apply(&editable).unwrap() else { panic!("factors") };
        assert_eq!(factors.rank(), 4);
        assert_eq!(kfac.apply(&editable).unwrap_err(), SvdError::NoBasis);
        // Nothing is removed, and nothing need be known for it.
        let whole: Edit = "kfac=1".parse().unwrap();
        assert_eq!(dense(whole.apply(&editable).unwrap()), matrix(9, 14));
    }
}
