//! One edit of one matrix of one layer: its text form, its JSON form, and what it does.
//!
//! Text: `27.fc_in:0.01`. JSON: `{"layer":27,"matrix":"fc_in","rho":0.01}`; the other edits name their key.

use std::fmt;

use laser_matrix::{Decompose, EditedMatrix};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::edit::{field, field_names};
use crate::fields::Fields;
use crate::{Edit, EditError, MatrixId, ModelShape, Result};

/// One edit of one matrix of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervention {
    /// The layer, from 0.
    pub layer: usize,
    /// The matrix.
    pub matrix: MatrixId,
    /// What is done to it.
    pub edit: Edit,
}

impl Intervention {
    /// The edited matrix, of the same shape.
    ///
    /// # Errors
    /// If the matrix is too small for the edit, or has no decomposition.
    pub fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix> {
        let (rows, cols) = (matrix.matrix().rows(), matrix.matrix().cols());
        self.check_shape(rows, cols)?;
        self.edit.apply(matrix).map_err(|error| self.does_not_fit(error.to_string()))
    }

    /// A list in canonical order (by layer, then matrix).
    ///
    /// # Errors
    /// If a matrix comes twice.
    pub fn combine(list: impl IntoIterator<Item = Self>) -> Result<Vec<Self>> {
        let mut list: Vec<Self> = list.into_iter().collect();
        list.sort_by_key(|intervention| (intervention.layer, intervention.matrix));
        // All experts' matrices come before a single one's: what overlaps it does so with the first of its kind.
        let of_kind = |a: &Self, b: &Self| (a.layer, a.matrix.kind) == (b.layer, b.matrix.kind);
        for run in list.chunk_by(of_kind) {
            let overlaps =
                |pair: &[Self]| pair[0].matrix.overlaps(pair[1].matrix) || run[0].matrix.overlaps(pair[1].matrix);
            if let Some(pair) = run.windows(2).find(|pair| overlaps(pair)) {
                return Err(EditError::EditedTwice { layer: pair[1].layer, matrix: pair[1].matrix.to_string() });
            }
        }
        Ok(list)
    }

    /// Refuses a layer or a matrix that the model lacks, and an edit that the matrix is too small for.
    ///
    /// # Errors
    /// If it is refused.
    pub fn check(&self, shape: &impl ModelShape) -> Result<()> {
        if self.layer < shape.layers() {
            self.matrix.check(shape)?;
            let [rows, cols] = self.matrix.kind.shape(shape);
            return self.check_shape(rows, cols);
        }
        let layer = i64::try_from(self.layer).unwrap_or(i64::MAX);
        Err(EditError::LayerOutOfRange { layer, count: shape.layers() })
    }

    fn check_shape(&self, rows: usize, cols: usize) -> Result<()> {
        self.edit.check_shape(rows, cols).map_err(|why| self.does_not_fit(why))
    }

    fn does_not_fit(&self, why: String) -> EditError {
        EditError::DoesNotFit { intervention: self.to_string(), why }
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:{}", self.layer, self.matrix, self.edit)
    }
}

impl Serialize for Intervention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("layer", &self.layer)?;
        map.serialize_entry("matrix", &self.matrix)?;
        for (name, value) in self.edit.json() {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Intervention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Json)
    }
}

struct Json;

impl<'de> Visitor<'de> for Json {
    type Value = Intervention;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an edit with layer and matrix")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Intervention, A::Error> {
        let (mut layer, mut matrix, mut fields) = (None, None, Fields::default());
        while let Some(key) = map.next_key::<String>()? {
            let twice = |name: &'static str| Err(de::Error::duplicate_field(name));
            match key.as_str() {
                "layer" if layer.is_some() => return twice("layer"),
                "matrix" if matrix.is_some() => return twice("matrix"),
                "layer" => layer = Some(map.next_value()?),
                "matrix" => matrix = Some(map.next_value()?),
                key => match field(key) {
                    Some((name, kind)) => {
                        let value = kind.read(&mut map)?;
                        if !fields.add(name, value) {
                            return twice(name);
                        }
                    }
                    None => {
                        let known: Vec<String> = field_names().iter().map(|name| format!("`{name}`")).collect();
                        let known = format!("`layer`, `matrix`, {}", known.join(", "));
                        return Err(de::Error::custom(format!("unknown field `{key}`, expected one of {known}")));
                    }
                },
            }
        }
        let layer = layer.ok_or_else(|| de::Error::missing_field("layer"))?;
        let matrix = matrix.ok_or_else(|| de::Error::missing_field("matrix"))?;
        Ok(Intervention { layer, matrix, edit: Edit::from_json(&fields).map_err(de::Error::custom)? })
    }
}
