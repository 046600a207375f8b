//! The JSON Schema of edits, from the registry of methods.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::fields::Kind;
use crate::methods::forms;
use crate::{Intervention, MatrixId};

impl JsonSchema for Intervention {
    fn schema_name() -> Cow<'static, str> {
        "Intervention".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut of_form = |fields, example| {
            let properties = properties(generator, fields);
            let required: Vec<&String> = properties.keys().collect();
            json!({
                "type": "object", "description": format!("As text: `27.fc_in:{}`.", last_word(example)),
                "required": required, "properties": properties, "additionalProperties": false,
            })
        };
        let methods: Vec<Value> = forms().map(|form| of_form(form.fields, form.example)).collect();
        json_schema!({"description": "One edit of one matrix of one layer.", "oneOf": methods})
    }
}

impl Intervention {
    /// The schema of an edit's fields where they stand among others: any method's.
    pub fn fields_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields: Vec<(&str, Kind)> = forms().flat_map(|form| form.fields).copied().collect();
        let properties = properties(generator, &fields);
        json_schema!({"type": "object", "required": ["layer", "matrix"], "properties": properties})
    }
}

/// Some examples are told in words, with the edit itself at the end.
fn last_word(example: &str) -> &str {
    example.rsplit(' ').next().unwrap_or(example)
}

/// The layer, the matrix, and `fields`.
fn properties(generator: &mut SchemaGenerator, fields: &[(&'static str, Kind)]) -> Map<String, Value> {
    let layer = json!({"type": "integer", "minimum": 0, "description": "The layer, from 0."});
    let mut matrix = json!(MatrixId::json_schema(generator));
    matrix["description"] = "The matrix; in a mixture of experts `fc_in[3]` is one expert's.".into();
    let mut properties = Map::from_iter([("layer".to_owned(), layer), ("matrix".to_owned(), matrix)]);
    properties.extend(fields.iter().map(|&(name, kind)| (name.to_owned(), of_kind(kind))));
    properties
}

fn of_kind(kind: Kind) -> Value {
    let fraction = json!({"type": "number", "minimum": 0, "maximum": 1});
    match kind {
        Kind::Fractions(1) => fraction,
        Kind::Fractions(count) => json!({"type": "array", "items": fraction, "minItems": count, "maxItems": count}),
        Kind::Count => json!({"type": "integer", "minimum": 0}),
        Kind::Positive => json!({"type": "integer", "minimum": 1}),
        Kind::Flag => json!({"const": true}),
    }
}
