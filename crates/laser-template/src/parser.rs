//! The tokens of a template as its readers go through them.

use crate::{
    error::{Error, ErrorKind, Result},
    limits,
    token::Token,
};

/// The tokens that are left, and how deep the reader is.
pub(crate) struct Parser<'a> {
    tokens: &'a [(Token, usize)],
    pub at: usize,
    depth: usize,
    /// The names that are read.
    pub names: Vec<String>,
    /// The filters and tests that must exist: those outside of an `if`.
    pub functions: Vec<(bool, String, usize)>,
    /// How many `if`s are open.
    pub conditions: usize,
    /// The operations of the tag so far.
    pub operations: usize,
}

impl<'a> Parser<'a> {
    pub fn new(tokens: &'a [(Token, usize)]) -> Self {
        Self { tokens, at: 0, depth: 0, names: Vec::new(), functions: Vec::new(), conditions: 0, operations: 0 }
    }

    pub fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    pub fn peek_second(&self) -> Option<&'a Token> {
        self.tokens.get(self.at + 1).map(|(token, _)| token)
    }

    pub fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    pub fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += 1;
        token
    }

    pub fn fail(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Syntax, message).at(self.line())
    }

    /// Runs a reader one level further down.
    pub fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.enter()?;
        let read = read(self);
        self.leave();
        read
    }

    pub fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        match self.depth > limits::NESTING {
            true => Err(Error::limit(format!("the template is nested deeper than {} levels", limits::NESTING))),
            false => Ok(()),
        }
    }

    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// One operation more in a chain of this length.
    pub fn chained(&mut self, length: &mut usize) -> Result<()> {
        *length += 1;
        self.operations += 1;
        let (most, what) = match *length > limits::CHAIN {
            true => (limits::CHAIN, "chain"),
            false if self.operations > limits::OPERATIONS => (limits::OPERATIONS, "tag"),
            false => return Ok(()),
        };
        Err(Error::limit(format!("the template has a {what} of more than {most} operations")))
    }

    pub fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    pub fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == name)
    }

    pub fn skip_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    pub fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub fn expect_sign(&mut self, sign: &str) -> Result<()> {
        match self.skip_sign(sign) {
            true => Ok(()),
            false => Err(self.expected(sign)),
        }
    }

    pub fn expect(&mut self, token: &Token) -> Result<()> {
        match self.peek() == Some(token) {
            true => {
                self.at += 1;
                Ok(())
            }
            false => Err(self.expected(&token.described())),
        }
    }

    pub fn expected(&self, what: &str) -> Error {
        match self.peek() {
            Some(found) => self.fail(format!("expected token '{what}', got '{}'", found.described())),
            None => self.fail(format!("unexpected end of template, expected '{what}'")),
        }
    }

    pub fn name(&mut self) -> Result<&'a str> {
        match self.peek() {
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.expected("name")),
        }
    }
}
