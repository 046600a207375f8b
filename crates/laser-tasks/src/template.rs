//! `doc_to_text` and its like: Jinja templates over one row, or the bare name of a field, as lm-evaluation-harness reads them.

use std::collections::HashSet;

use laser_template::{Dialect, Environment, Error, ErrorKind, Expression, Template, Value};
use serde_json::{Map, Value as Json};

use crate::{RowError, YamlError};

/// An engine that treats undefined names as errors and changes no whitespace. `paper_compat` is the variable of that name.
pub(crate) fn engine(paper_compat: bool) -> Environment {
    Environment::new(Dialect::Task)
        .with_global("paper_compat", paper_compat.into())
        .with_filter("full_stop", |text| ended(text, '.'))
        .with_filter("question_mark", |text| ended(text, '?'))
}

/// The trimmed text with `sign` behind it, unless it ends in a full stop or a question mark.
fn ended(text: &str, sign: char) -> String {
    let text = text.trim();
    match text.ends_with(['.', '?']) {
        true => text.to_owned(),
        false => format!("{text}{sign}"),
    }
}

/// One key's text, ready to be applied to rows.
pub(crate) struct FieldOrTemplate<'a> {
    key: &'static str,
    form: Form<'a>,
}

enum Form<'a> {
    Field(&'a str),
    Template(Template),
    /// A single `{{ }}`: its value is kept as it is, so that a list stays a list.
    Expression(Expression),
}

impl<'a> FieldOrTemplate<'a> {
    /// A pattern that is a template even where it is plain words.
    fn template(engine: &Environment, key: &'static str, text: &'a str) -> Result<Self, YamlError> {
        let template = engine.template(text).map_err(|error| bad_template(key, &error))?;
        let form = Form::Template(template);
        Ok(Self { key, form })
    }

    /// A pattern that gives text: whitespace around a `{{ }}` counts.
    pub fn text(
        engine: &Environment,
        fields: &HashSet<&str>,
        key: &'static str,
        text: &'a str,
    ) -> Result<Self, YamlError> {
        // As in lm-evaluation-harness, a text that is not a field is every row's text.
        match fields.contains(text) {
            true => Ok(Self { key, form: Form::Field(text) }),
            false => Self::template(engine, key, text),
        }
    }

    /// A pattern that gives a value: text, a number or a list.
    pub fn value(
        engine: &Environment,
        fields: &HashSet<&str>,
        key: &'static str,
        text: &'a str,
    ) -> Result<Self, YamlError> {
        match single_expression(text) {
            Some(expression) => {
                let expression = engine.expression(expression).map_err(|error| bad_template(key, &error))?;
                let form = Form::Expression(expression);
                Ok(Self { key, form })
            }
            None => Self::text(engine, fields, key, text),
        }
    }

    /// A pattern that gives a value, its braces left out or not.
    pub fn expression(engine: &Environment, key: &'static str, text: &'a str) -> Result<Self, YamlError> {
        let inner = single_expression(text).unwrap_or(text);
        let expression = engine.expression(inner).map_err(|error| bad_template(key, &error))?;
        Ok(Self { key, form: Form::Expression(expression) })
    }

    /// Whether this is a bare field name.
    pub fn is_field(&self) -> bool {
        matches!(self.form, Form::Field(_))
    }

    /// The value for one row.
    pub fn of(&self, row: &Map<String, Json>) -> Result<Value, RowError> {
        match &self.form {
            Form::Field(name) => match row.get(*name) {
                Some(value) => Ok(Value::from(value)),
                None => Err(RowError::MissingKey { key: (*name).to_owned(), has: keys(row) }),
            },
            Form::Template(template) => template.render(row).map(Value::from).map_err(|error| self.failed(&error, row)),
            Form::Expression(expression) => expression.evaluate(row).map_err(|error| self.failed(&error, row)),
        }
    }

    /// The text for one row: text as it is, a number as it is written.
    pub fn text_of(&self, row: &Map<String, Json>) -> Result<String, RowError> {
        self.as_text(&self.of(row)?)
    }

    /// The items of a list, as JSON, for one row.
    pub fn values_of(&self, row: &Map<String, Json>) -> Result<Vec<Json>, RowError> {
        let value = self.of(row)?;
        match value.items() {
            Some(items) => Ok(items.iter().map(Value::to_json).collect()),
            None => Err(self.wrong("a list, such as {{[a, b]}} or a field that is one", &value)),
        }
    }

    /// The texts of a list, for one row.
    pub fn list_of(&self, row: &Map<String, Json>) -> Result<Vec<String>, RowError> {
        let value = self.of(row)?;
        match value.items() {
            Some(items) => items.iter().map(|item| self.as_text(item)).collect(),
            None => Err(self.wrong("a list of texts, such as {{[a, b]}} or a field that is one", &value)),
        }
    }

    fn as_text(&self, value: &Value) -> Result<String, RowError> {
        match value {
            Value::Str(_) | Value::Markup(_) | Value::Int(_) | Value::Float(_) => Ok(value.to_string()),
            _ => Err(self.wrong("text or a number", value)),
        }
    }

    /// The error of a value that is not `expected`.
    pub fn wrong(&self, expected: &'static str, found: &Value) -> RowError {
        RowError::WrongType {
            key: self.key.to_owned(),
            expected,
            found: match found {
                Value::Undefined(_) => "undefined",
                Value::None => "null",
                Value::Bool(_) => "true or false",
                Value::Int(_) | Value::Float(_) => "a number",
                Value::Str(_) | Value::Markup(_) => "text",
                Value::List(_) | Value::Tuple(_) => "a list",
                Value::Dict(_) => "an object",
                Value::Object(_) => "something else",
            },
        }
    }

    fn failed(&self, error: &Error, row: &Map<String, Json>) -> RowError {
        match (error.kind(), error.undefined_name()) {
            (ErrorKind::Undefined, Some(name)) => {
                RowError::Undefined { key: self.key, names: laser_example::quoted(name), has: keys(row) }
            }
            _ => RowError::Template { key: self.key, what: message(error) },
        }
    }
}

/// The keys of a row, in words.
fn keys(row: &Map<String, Json>) -> String {
    crate::error::listed(row.keys().map(String::as_str))
}

/// What is between the braces, where `text` is one `{{ }}` and nothing else.
fn single_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    // A dash or plus there controls whitespace, and would be read as a sign.
    let signed = inner.starts_with(['-', '+']) || inner.ends_with(['-', '+']);
    let single = !["{{", "}}", "{%", "{#"].iter().any(|mark| inner.contains(mark));
    (single && !signed).then_some(inner)
}

fn bad_template(key: &'static str, error: &Error) -> YamlError {
    YamlError::Template { key, what: message(error) }
}

fn message(error: &Error) -> String {
    laser_example::plain(&error.to_string())
}
