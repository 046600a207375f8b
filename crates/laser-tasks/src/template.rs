//! `doc_to_text` and its like: Jinja templates over one row, or the bare name of a field, as lm-evaluation-harness reads them.

use std::collections::HashSet;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Expression, Template, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};

use crate::{RowError, YamlError};

/// An engine that treats undefined names as errors and changes no whitespace. `paper_compat` is the variable of that name.
pub(crate) fn engine(paper_compat: bool) -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_keep_trailing_newline(true);
    engine.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    engine.add_global("paper_compat", paper_compat);
    engine.add_filter("full_stop", |text: &str| ended(text, '.'));
    engine.add_filter("question_mark", |text: &str| ended(text, '?'));
    engine
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
pub(crate) struct Pattern<'a> {
    key: &'static str,
    form: Form<'a>,
}

enum Form<'a> {
    Field(&'a str),
    Template(Template<'a, 'a>),
    /// A single `{{ }}`: its value is kept as it is, so that a list stays a list.
    Expression(Expression<'a, 'a>),
}

impl<'a> Pattern<'a> {
    /// A pattern that is a template even where it is plain words.
    pub fn template(engine: &'a Environment<'static>, key: &'static str, text: &'a str) -> Result<Self, YamlError> {
        let template = engine.template_from_str(text).map_err(|error| bad_template(key, &error))?;
        let form = Form::Template(template);
        Ok(Self { key, form })
    }

    /// A pattern that gives text: whitespace around a `{{ }}` counts.
    pub fn text(
        engine: &'a Environment<'static>,
        fields: &HashSet<&str>,
        key: &'static str,
        text: &'a str,
    ) -> Result<Self, YamlError> {
        // As in lm-evaluation-harness, a text that is no field is every row's text.
        match fields.contains(text) {
            true => Ok(Self { key, form: Form::Field(text) }),
            false => Self::template(engine, key, text),
        }
    }

    /// A pattern that gives a value: text, a number or a list.
    pub fn value(
        engine: &'a Environment<'static>,
        fields: &HashSet<&str>,
        key: &'static str,
        text: &'a str,
    ) -> Result<Self, YamlError> {
        match single_expression(text) {
            Some(expression) => {
                let expression = engine.compile_expression(expression).map_err(|error| bad_template(key, &error))?;
                let form = Form::Expression(expression);
                Ok(Self { key, form })
            }
            None => Self::text(engine, fields, key, text),
        }
    }

    /// A pattern that gives a value, its braces left out or not.
    pub fn expression(engine: &'a Environment<'static>, key: &'static str, text: &'a str) -> Result<Self, YamlError> {
        let inner = single_expression(text).unwrap_or(text);
        let expression = engine.compile_expression(inner).map_err(|error| bad_template(key, &error))?;
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
                Some(value) => Ok(Value::from_serialize(value)),
                None => Err(RowError::MissingKey { key: (*name).to_owned(), has: keys(row) }),
            },
            Form::Template(template) => template
                .render(row)
                .map(Value::from)
                .map_err(|error| self.failed(&error, template.undeclared_variables(true), row)),
            Form::Expression(expression) => match expression.eval(row) {
                Ok(value) if !value.is_undefined() => Ok(value),
                Ok(_) => Err(self.undefined(expression.undeclared_variables(true), row)),
                Err(error) => Err(self.failed(&error, expression.undeclared_variables(true), row)),
            },
        }
    }

    /// The text for one row: text as it is, a number as it is written.
    pub fn text_of(&self, row: &Map<String, Json>) -> Result<String, RowError> {
        self.as_text(&self.of(row)?)
    }

    /// The items of a list, as JSON, for one row.
    pub fn values_of(&self, row: &Map<String, Json>) -> Result<Vec<Json>, RowError> {
        let value = self.of(row)?;
        match serde_json::to_value(&value) {
            Ok(Json::Array(items)) => Ok(items),
            _ => Err(self.wrong("a list, such as {{[a, b]}} or a field that is one", &value)),
        }
    }

    /// The texts of a list, for one row.
    pub fn list_of(&self, row: &Map<String, Json>) -> Result<Vec<String>, RowError> {
        let value = self.of(row)?;
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => self.items(&value),
            _ => Err(self.wrong("a list of texts, such as {{[a, b]}} or a field that is one", &value)),
        }
    }

    fn items(&self, value: &Value) -> Result<Vec<String>, RowError> {
        let items = value.try_iter().map_err(|error| RowError::Template { key: self.key, what: message(&error) })?;
        items.map(|item| self.as_text(&item)).collect()
    }

    fn as_text(&self, value: &Value) -> Result<String, RowError> {
        match value.kind() {
            ValueKind::String | ValueKind::Number => Ok(value.to_string()),
            _ => Err(self.wrong("text or a number", value)),
        }
    }

    /// The error of a value that is not `expected`.
    pub fn wrong(&self, expected: &'static str, found: &Value) -> RowError {
        RowError::WrongType {
            key: self.key.to_owned(),
            expected,
            found: match found.kind() {
                ValueKind::Undefined => "undefined",
                ValueKind::None => "null",
                ValueKind::Bool => "true or false",
                ValueKind::Number => "a number",
                ValueKind::String => "text",
                ValueKind::Seq | ValueKind::Iterable => "a list",
                ValueKind::Map => "an object",
                _ => "something else",
            },
        }
    }

    fn failed(&self, error: &Error, names: HashSet<String>, row: &Map<String, Json>) -> RowError {
        match error.kind() {
            ErrorKind::UndefinedError => self.undefined(names, row),
            _ => RowError::Template { key: self.key, what: message(error) },
        }
    }

    fn undefined(&self, names: HashSet<String>, row: &Map<String, Json>) -> RowError {
        let mut names: Vec<String> =
            names.into_iter().filter(|name| !has(row, name)).map(|name| laser_example::quoted(&name)).collect();
        names.sort();
        RowError::Undefined {
            key: self.key,
            names: match names.is_empty() {
                true => "an undefined value".to_owned(),
                false => names.join(", "),
            },
            has: keys(row),
        }
    }
}

/// The keys of a row, in words.
fn keys(row: &Map<String, Json>) -> String {
    crate::error::listed(row.keys().map(String::as_str))
}

/// Whether `row` has the dotted `name`.
fn has(row: &Map<String, Json>, name: &str) -> bool {
    let mut parts = name.split('.');
    let first = parts.next().and_then(|part| row.get(part));
    parts.fold(first, |value, part| value.and_then(|value| value.get(part))).is_some()
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

/// What the engine says, without its own notion of a place.
fn message(error: &Error) -> String {
    match error.detail() {
        Some(detail) => laser_example::plain(&format!("{}: {detail}", error.kind())),
        None => error.kind().to_string(),
    }
}
