//! Templates and expressions, ready to be applied to rows.

use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::{
    access,
    ast::{Expr, Node},
    error::Result,
    evaluate, execute, globals,
    lexer::Whitespace,
    limits, parse_statement, predicates, registry, repr,
    scope::Scope,
    value::{Dialect, Machine, TextFilter, Value},
};

/// Whose Jinja is spoken, and what is known beside Jinja's own.
#[derive(Debug, Clone)]
pub struct Environment {
    dialect: Dialect,
    globals: Vec<(String, Json)>,
    filters: Vec<(&'static str, TextFilter)>,
}

/// A template.
#[derive(Debug)]
pub struct Template {
    environment: Environment,
    nodes: Vec<Node>,
    names: Vec<String>,
}

/// An expression: what stands between `{{` and `}}`.
#[derive(Debug)]
pub struct Expression {
    environment: Environment,
    expression: Expr,
    names: Vec<String>,
}

impl Environment {
    /// The surroundings of a dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, globals: Vec::new(), filters: Vec::new() }
    }

    /// Adds a variable that every template sees.
    pub fn with_global(mut self, name: &str, value: Json) -> Self {
        self.globals.push((name.to_owned(), value));
        self
    }

    /// Adds a filter on text.
    pub fn with_filter(mut self, name: &'static str, filter: TextFilter) -> Self {
        self.filters.push((name, filter));
        self
    }

    fn knows(&self, is_filter: bool, name: &str) -> bool {
        match is_filter {
            true => registry::filter(name).is_some() || self.filters.iter().any(|(own, _)| *own == name),
            false => predicates::find(name).is_some(),
        }
    }

    /// Reads a template.
    ///
    /// # Errors
    ///
    /// If it is not written in Jinja, uses a filter or test that is not there, or is nested too deeply.
    pub fn template(&self, source: &str) -> Result<Template> {
        let is_chat = self.dialect == Dialect::Chat;
        let whitespace = Whitespace { trim_blocks: is_chat, lstrip_blocks: is_chat, keep_trailing_newline: !is_chat };
        let knows = |is_filter, name: &str| self.knows(is_filter, name);
        let parsed = parse_statement::template(source, whitespace, is_chat, knows)?;
        Ok(Template { environment: self.clone(), nodes: parsed.nodes, names: parsed.names })
    }

    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// As for a template.
    pub fn expression(&self, source: &str) -> Result<Expression> {
        let (expression, names) =
            parse_statement::expression(source, |is_filter, name: &str| self.knows(is_filter, name))?;
        Ok(Expression { environment: self.clone(), expression, names })
    }

    /// The variables of one rendering: of a row those that are named.
    fn start(&self, row: &Map<String, Json>, names: &[String]) -> (Machine, Rc<Scope>) {
        let outer = Scope::new(None);
        globals::define(self.dialect, &outer);
        for (name, value) in &self.globals {
            outer.set(name, Value::from(value));
        }
        let scope = outer.inner();
        for name in names {
            if let Some(value) = row.get(name) {
                scope.set(name, Value::from(value));
            }
        }
        (machine(self.dialect, self.filters.clone()), scope)
    }
}

fn machine(dialect: Dialect, extra: Vec<(&'static str, TextFilter)>) -> Machine {
    Machine {
        dialect,
        filters: registry::filter,
        tests: predicates::find,
        extra,
        kept: Vec::new(),
        attribute: access::attribute,
        item: access::item,
        steps: limits::steps(),
        depth: 0,
        output: 0,
    }
}

impl Template {
    /// The text for one row.
    ///
    /// # Errors
    ///
    /// If a name is undefined or an operation is not possible, as in Python; or if it takes too much.
    pub fn render(&self, row: &Map<String, Json>) -> Result<String> {
        let (mut machine, scope) = self.environment.start(row, &self.names);
        let mut text = String::new();
        execute::run(&mut machine, &scope, &self.nodes, &mut text)?;
        Ok(text)
    }
}

impl Expression {
    /// The value for one row.
    ///
    /// # Errors
    ///
    /// As for a template.
    pub fn evaluate(&self, row: &Map<String, Json>) -> Result<Value> {
        let (mut machine, scope) = self.environment.start(row, &self.names);
        let value = evaluate::evaluate(&mut machine, &scope, &self.expression)?;
        value.defined(&machine)?;
        Ok(value)
    }
}

impl Value {
    /// The value as Python's `str` writes it.
    ///
    /// # Errors
    ///
    /// If it is undefined, or has no text that would be the same tomorrow.
    pub fn to_str(&self) -> Result<String> {
        repr::text(self, &mut machine(Dialect::Task, Vec::new()))
    }
}
