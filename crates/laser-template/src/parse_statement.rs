//! A whole template read from tokens: text, print tags and statements.

use std::sync::Arc;

use crate::{
    ast::{Expr, For, Macro, Node, Parameters, Statement, Target},
    error::{Error, ErrorKind, Result},
    lexer::{self, Whitespace},
    parser::Parser,
    token::Token,
};

/// A template that was read.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub nodes: Vec<Node>,
    /// The variables that it names.
    pub names: Vec<String>,
}

/// Reads a template. `knows` says whether there is a filter (true) or a test (false) of a name.
pub(crate) fn template(
    source: &str,
    whitespace: Whitespace,
    with_generation: bool,
    knows: impl Fn(bool, &str) -> bool,
) -> Result<Parsed> {
    let tokens = lexer::tokens(source, whitespace)?;
    let mut reader = Reader { parser: Parser::new(&tokens), with_generation, loops: 0 };
    let nodes = reader.body(&[])?;
    finished(&reader.parser, knows)?;
    let mut names = reader.parser.names;
    names.sort();
    names.dedup();
    Ok(Parsed { nodes, names })
}

/// Reads an expression that stands alone.
pub(crate) fn expression(source: &str, knows: impl Fn(bool, &str) -> bool) -> Result<(Expr, Vec<String>)> {
    let whitespace = Whitespace { trim_blocks: false, lstrip_blocks: false, keep_trailing_newline: true };
    let tokens = lexer::tokens(&format!("{{{{ {source} }}}}"), whitespace)?;
    let mut parser = Parser::new(&tokens);
    parser.expect(&Token::PrintBegin)?;
    let expression = parser.tuple(true, false, None)?;
    parser.expect(&Token::PrintEnd)?;
    match parser.peek() {
        Some(_) => Err(parser.fail("chunk after expression")),
        None => {
            finished(&parser, knows)?;
            let mut names = parser.names;
            names.sort();
            names.dedup();
            Ok((expression, names))
        }
    }
}

fn finished(parser: &Parser, knows: impl Fn(bool, &str) -> bool) -> Result<()> {
    match parser.functions.iter().find(|(is_filter, name, _)| !knows(*is_filter, name)) {
        Some((is_filter, name, line)) => {
            let kind = if *is_filter { "filter" } else { "test" };
            Err(Error::new(ErrorKind::Syntax, format!("there is no {kind} named {name:?}")).at(*line))
        }
        None => Ok(()),
    }
}

struct Reader<'a> {
    parser: Parser<'a>,
    /// Whether `{% generation %}` is a tag.
    with_generation: bool,
    /// How many loops are open, for `break` and `continue`.
    loops: usize,
}

impl Reader<'_> {
    /// Text and tags up to a tag of one of these names, of which only the beginning is read.
    fn body(&mut self, ends: &[&str]) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            let line = self.parser.line();
            self.parser.operations = 0;
            let kind = match self.parser.next() {
                None if ends.is_empty() => return Ok(nodes),
                None => {
                    let wanted = ends.join("' or '");
                    let message = format!("unexpected end of template: Jinja was looking for '{wanted}'");
                    return Err(self.parser.fail(message));
                }
                Some(Token::Data(text)) => Statement::Data(text.as_str().into()),
                Some(Token::PrintBegin) => {
                    let expression = self.parser.tuple(true, false, None)?;
                    self.parser.expect(&Token::PrintEnd)?;
                    Statement::Print(expression)
                }
                Some(Token::BlockBegin) => {
                    let Some(Token::Name(tag)) = self.parser.peek() else {
                        return Err(self.parser.fail("tag name expected"));
                    };
                    if ends.contains(&tag.as_str()) {
                        return Ok(nodes);
                    }
                    self.parser.next();
                    let kind = self.statement(tag, line, &mut nodes)?;
                    self.parser.expect(&Token::BlockEnd)?;
                    kind
                }
                Some(_) => return Err(self.parser.fail("internal parsing error")),
            };
            nodes.push(Node { line, kind });
        }
    }

    /// A block's body, from behind the tag's contents up to a tag of one of these names.
    fn block(&mut self, ends: &[&str]) -> Result<Vec<Node>> {
        self.parser.skip_sign(":");
        self.parser.expect(&Token::BlockEnd)?;
        self.deeper(|reader| reader.body(ends))
    }

    /// A block's body with the tag that ends it.
    fn whole_block(&mut self, end: &str) -> Result<Vec<Node>> {
        let body = self.block(&[end])?;
        self.parser.next();
        Ok(body)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.parser.enter()?;
        let read = read(self);
        self.parser.leave();
        read
    }

    fn statement(&mut self, tag: &str, line: usize, nodes: &mut Vec<Node>) -> Result<Statement> {
        Ok(match tag {
            "for" => self.for_loop()?,
            "if" => self.condition()?,
            "set" => self.assignment()?,
            "with" => {
                let mut pairs = Vec::new();
                while !matches!(self.parser.peek(), Some(Token::BlockEnd) | None) {
                    if !pairs.is_empty() {
                        self.parser.expect_sign(",")?;
                    }
                    let target = self.target(None, false)?;
                    self.parser.expect_sign("=")?;
                    pairs.push((target, self.parser.expression()?));
                }
                Statement::With(pairs, self.whole_block("endwith")?)
            }
            "macro" => {
                let name = self.parser.name()?.into();
                let parameters = self.parameters()?;
                Statement::Macro(self.macro_body(Some(name), parameters, "endmacro")?)
            }
            "call" => {
                let parameters = match self.parser.is_sign("(") {
                    true => self.parameters()?,
                    false => Parameters { names: Vec::new(), defaults: Vec::new() },
                };
                let call = self.parser.expression()?;
                if !matches!(call, Expr::Call(..)) {
                    return Err(self.parser.fail("expected call"));
                }
                Statement::Call(call, self.macro_body(None, parameters, "endcall")?)
            }
            "filter" => {
                let filter = self.filters()?;
                let filter = filter.ok_or_else(|| self.parser.expected("name"))?;
                Statement::Filter(filter, self.whole_block("endfilter")?)
            }
            "print" => {
                // Each expression but the last is a statement of its own.
                loop {
                    let expression = self.parser.expression()?;
                    if !self.parser.skip_sign(",") {
                        return Ok(Statement::Print(expression));
                    }
                    nodes.push(Node { line, kind: Statement::Print(expression) });
                }
            }
            "block" => {
                let name = self.parser.name()?.to_owned();
                self.parser.skip_name("scoped");
                self.parser.skip_name("required");
                let body = self.whole_block("endblock")?;
                self.parser.skip_name(&name);
                Statement::Scope(body)
            }
            "autoescape" => {
                let on = self.parser.expression()?;
                if !matches!(on, Expr::Constant(crate::ast::Constant::Bool(false))) {
                    return Err(Error::unsupported("autoescape cannot be turned on here").at(line));
                }
                Statement::Scope(self.whole_block("endautoescape")?)
            }
            "generation" if self.with_generation => Statement::Scope(self.whole_block("endgeneration")?),
            "break" | "continue" if self.loops > 0 && self.with_generation => match tag {
                "break" => Statement::Break,
                _ => Statement::Continue,
            },
            "include" | "import" | "extends" | "from" => {
                while !matches!(self.parser.peek(), Some(Token::BlockEnd) | None) {
                    self.parser.next();
                }
                Statement::Refused(match tag {
                    "include" => "include",
                    "import" => "import",
                    "extends" => "extends",
                    _ => "from ... import",
                })
            }
            _ => return Err(self.parser.fail(format!("unknown tag '{tag}'"))),
        })
    }

    fn for_loop(&mut self) -> Result<Statement> {
        let target = self.target(Some("in"), false)?;
        if !self.parser.skip_name("in") {
            return Err(self.parser.expected("in"));
        }
        let items = self.parser.tuple(false, false, Some("recursive"))?;
        let test = match self.parser.skip_name("if") {
            true => Some(self.parser.expression()?),
            false => None,
        };
        let is_recursive = self.parser.skip_name("recursive");
        self.loops += 1;
        let body = self.block(&["endfor", "else"])?;
        self.loops -= 1;
        let ended = self.parser.skip_name("endfor");
        let otherwise = match ended {
            true => Vec::new(),
            false => {
                self.parser.next();
                self.whole_block("endfor")?
            }
        };
        Ok(Statement::For(Arc::new(For { target, items, test, is_recursive, body, otherwise })))
    }

    fn condition(&mut self) -> Result<Statement> {
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        self.parser.conditions += 1;
        loop {
            let test = self.parser.tuple(false, false, None)?;
            let body = self.block(&["elif", "else", "endif"])?;
            branches.push((test, body));
            if self.parser.skip_name("elif") {
                continue;
            }
            let is_else = self.parser.skip_name("else");
            if is_else {
                otherwise = self.whole_block("endif")?;
            } else {
                self.parser.next();
            }
            self.parser.conditions -= 1;
            return Ok(Statement::If(branches, otherwise));
        }
    }

    fn assignment(&mut self) -> Result<Statement> {
        let target = self.target(None, true)?;
        if self.parser.skip_sign("=") {
            return Ok(Statement::Set(target, self.parser.tuple(true, false, None)?));
        }
        let filters = match self.parser.skip_sign("|") {
            true => self.filters()?,
            false => None,
        };
        Ok(Statement::SetBlock(target, filters, self.whole_block("endset")?))
    }

    /// One filter after the other, the first without its bar.
    fn filters(&mut self) -> Result<Option<Expr>> {
        let mut filter = self.parser.filter(None)?;
        let mut length = 0;
        while self.parser.skip_sign("|") {
            self.parser.chained(&mut length)?;
            filter = self.parser.filter(Some(filter))?;
        }
        Ok(Some(filter))
    }

    /// What is assigned to: a name, names with commas, or an attribute of a namespace.
    fn target(&mut self, end: Option<&str>, with_attribute: bool) -> Result<Target> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            if !targets.is_empty() {
                self.parser.expect_sign(",")?;
            }
            let ended = matches!(self.parser.peek(), Some(Token::PrintEnd | Token::BlockEnd) | None)
                || self.parser.is_sign(")")
                || self.parser.is_sign("=")
                || end.is_some_and(|end| self.parser.is_name(end));
            if ended && is_tuple {
                break;
            }
            targets.push(self.one_target(with_attribute)?);
            if !self.parser.is_sign(",") {
                break;
            }
            is_tuple = true;
        }
        match (is_tuple, targets.pop()) {
            (false, Some(only)) => Ok(only),
            (_, last) => {
                targets.extend(last);
                Ok(Target::Tuple(targets))
            }
        }
    }

    fn one_target(&mut self, with_attribute: bool) -> Result<Target> {
        if self.parser.skip_sign("(") {
            let target = self.deeper(|reader| reader.target(None, with_attribute))?;
            self.parser.expect_sign(")")?;
            return Ok(target);
        }
        let name = match self.parser.peek() {
            Some(Token::Name(name)) => name.clone(),
            Some(found) => return Err(self.parser.fail(format!("can't assign to '{}'", found.described()))),
            None => return Err(self.parser.expected("name")),
        };
        if ["true", "false", "none", "True", "False", "None"].contains(&name.as_str()) {
            return Err(self.parser.fail(format!("can't assign to '{name}'")));
        }
        self.parser.next();
        if with_attribute && self.parser.skip_sign(".") {
            let attribute = self.parser.name()?.into();
            self.parser.names.push(name.clone());
            return Ok(Target::Attribute(name.into(), attribute));
        }
        Ok(Target::Name(name.into()))
    }

    fn parameters(&mut self) -> Result<Parameters> {
        let mut found = Parameters { names: Vec::new(), defaults: Vec::new() };
        self.parser.expect_sign("(")?;
        while !self.parser.is_sign(")") {
            if !found.names.is_empty() {
                self.parser.expect_sign(",")?;
            }
            found.names.push(self.parser.name()?.into());
            if self.parser.skip_sign("=") {
                found.defaults.push(self.parser.expression()?);
            } else if !found.defaults.is_empty() {
                return Err(self.parser.fail("non-default argument follows default argument"));
            }
        }
        self.parser.expect_sign(")")?;
        Ok(found)
    }

    fn macro_body(&mut self, name: Option<Box<str>>, parameters: Parameters, end: &str) -> Result<Arc<Macro>> {
        let before = self.parser.names.len();
        let loops = std::mem::take(&mut self.loops);
        let body = self.whole_block(end)?;
        self.loops = loops;
        let named = |name: &str| self.parser.names[before..].iter().any(|found| found == name);
        let takes = ["varargs", "kwargs", "caller"].map(named);
        Ok(Arc::new(Macro { name, parameters, body, takes }))
    }
}
