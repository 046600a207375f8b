//! An edit method of one's own: `soft=0.2` lowers every singular value by a fifth of the largest, and takes those away that
//! would fall below zero (soft thresholding; Cai, Candès and Shen, arXiv 0810.3286).

use laser::edit::Edit;
use laser::edit::custom::{EditMethod, Form, Kind, Text, Value, fraction, offer_edits};
use laser::matrix::{Decompose, EditedMatrix, LowRank, Rho, SvdError};
use laser::{DemoFiles, SearchPlan, Session, SpaceChoice};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Soft(Rho);

/// How it is written: as text `soft=0.2`, in JSON `"soft":0.2`.
const FORMS: &[Form] = &[Form {
    text: Text::Key("soft"),
    example: "soft=0.2",
    fields: &[("soft", Kind::Fractions(1))],
    from_text: |text| Ok(Arc::new(Soft(fraction(text)?))),
    from_json: |fields| Ok(Arc::new(Soft(fields.fraction("soft")?))),
}];

impl EditMethod for Soft {
    fn json(&self) -> Vec<(&'static str, Value)> {
        vec![("soft", Value::Fractions(vec![self.0.get()]))]
    }

    /// What is left depends on the matrix's values, and not on its shape alone.
    fn kept_rank(&self, _: usize, _: usize) -> Option<usize> {
        None
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        let (rows, cols) = (matrix.matrix().rows(), matrix.matrix().cols());
        let whole = matrix.components(&[0..rows.min(cols)])?;
        let (u, s, v) = (whole.u(), whole.s(), whole.v());
        let least = s.first().map_or(0.0, |largest| largest * self.0.get() as f32);
        let rank = s.partition_point(|&value| value > least);
        Ok(EditedMatrix::LowRank(LowRank::from_fn(
            [rows, cols],
            rank,
            whole.exponent(),
            |i, k| u.data()[i * u.cols() + k],
            |k| s[k] - least,
            |j, k| v.data()[j * v.cols() + k],
        )))
    }
}

impl fmt::Display for Soft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "soft={}", self.0.get())
    }
}

pub fn run(demo: &DemoFiles, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // Once, before the first edit is read.
    offer_edits(FORMS)?;
    let session = Session::open(demo.model.as_path())?;
    let task = session.task(&demo.task.display().to_string().into())?;
    let edits: Vec<Edit> =
        ["soft=0.2", "soft=0.5", "soft=0.9"].map(str::parse).into_iter().collect::<Result<_, _>>()?;
    let plan = SearchPlan {
        space: SpaceChoice::Grid { rhos: vec![Rho::new(0.1)?], blocks: vec![NonZeroUsize::MIN], edits },
        ..SearchPlan::default()
    };
    let found = session.search(&task, &plan, folder.join("edit-method"))?;
    println!("{}", found.text());
    session.apply(&found.verdict.best, folder.join("soft"), true)?;
    Ok(())
}
