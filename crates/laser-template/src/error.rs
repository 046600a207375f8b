//! What can go wrong in a template, in one line.

use laser_python::RegexError;

/// The kind of a failure, by Python's classes where a template's meaning depends on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The template cannot be read.
    Syntax,
    /// A name or attribute that is not there was used.
    Undefined,
    /// Python's TypeError.
    Type,
    /// Python's ValueError.
    Value,
    /// Python's IndexError or KeyError.
    Lookup,
    /// Python's AttributeError.
    Attribute,
    /// Python's OverflowError, ZeroDivisionError or AssertionError.
    Arithmetic,
    /// What the sandbox of chat templates forbids.
    Forbidden,
    /// The template itself refused its input, by `raise_exception`.
    Raised,
    /// The template asks for too much work, memory or nesting.
    Limit,
    /// A part of Jinja or Python that is not offered here.
    Unsupported,
}

/// Why a template could not be read or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct Error {
    kind: ErrorKind,
    message: String,
    /// The template's line, counted from 1; not said where it is the first.
    line: Option<usize>,
    /// The undefined name.
    name: Option<String>,
}

/// What reading and rendering give.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { kind, message, line: None, name: None }
    }

    pub(crate) fn undefined(message: impl Into<String>, name: Option<&str>) -> Self {
        Self { name: name.map(str::to_owned), ..Self::new(ErrorKind::Undefined, message) }
    }

    /// The error, at this line unless its place is known already.
    pub(crate) fn at(mut self, line: usize) -> Self {
        if self.line.is_none() && line > 1 {
            self.line = Some(line);
        }
        self
    }

    /// The kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The variable that is not defined, where that is the failure.
    pub fn undefined_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn ty(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Type, message)
    }

    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Value, message)
    }

    pub(crate) fn lookup(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Lookup, message)
    }

    pub(crate) fn arithmetic(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Arithmetic, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }
}

impl From<RegexError> for Error {
    fn from(error: RegexError) -> Self {
        match error {
            RegexError::Pattern { why, .. } => Self::value(format!("a regular expression: {why}")),
            RegexError::Replacement(why) => Self::value(why),
            RegexError::Slow { .. } | RegexError::Long { .. } => Self::limit(error.to_string()),
        }
    }
}
