//! A template as a tree.

use std::sync::Arc;

use num_bigint::BigInt;

use crate::arithmetic::Operator;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    None,
    Bool(bool),
    Int(BigInt),
    Float(f64),
    Str(Box<str>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

/// The arguments of a call, a filter or a test.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub placed: Vec<Expr>,
    pub named: Vec<(String, Expr)>,
    /// `*items`
    pub more: Option<Box<Expr>>,
    /// `**mapping`
    pub more_named: Option<Box<Expr>>,
}

/// An expression.
#[derive(Debug)]
pub(crate) enum Expr {
    Constant(Constant),
    Name(Box<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// `then if test else otherwise`
    Choice {
        test: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    Or(Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Concat(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `-value`, or `+value` if false.
    Signed(bool, Box<Expr>),
    Attribute(Box<Expr>, Box<str>),
    Item(Box<Expr>, Box<Expr>),
    /// `value[start:stop:step]`
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Box<Arguments>),
    /// `input|name(...)`; without an input it takes a block's text.
    Filter(Option<Box<Expr>>, Box<str>, Box<Arguments>),
    Test(Box<Expr>, Box<str>, Box<Arguments>),
}

/// What may be assigned to.
#[derive(Debug)]
pub(crate) enum Target {
    Name(Box<str>),
    Tuple(Vec<Target>),
    /// `namespace.attribute`
    Attribute(Box<str>, Box<str>),
}

/// The parameters of a macro or a call block, with their defaults.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub names: Vec<Box<str>>,
    /// The defaults of the last parameters.
    pub defaults: Vec<Expr>,
}

/// A macro, or the block of a call.
#[derive(Debug)]
pub(crate) struct Macro {
    pub name: Option<Box<str>>,
    pub parameters: Parameters,
    pub body: Vec<Node>,
    /// Whether its body names `varargs`, `kwargs` and `caller`: others are refused where it does not.
    pub takes: [bool; 3],
}

/// A loop.
#[derive(Debug)]
pub(crate) struct For {
    pub target: Target,
    pub items: Expr,
    pub test: Option<Expr>,
    pub is_recursive: bool,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// A statement, with its line.
#[derive(Debug)]
pub(crate) struct Node {
    pub line: usize,
    pub kind: Statement,
}

/// What a statement does.
#[derive(Debug)]
pub(crate) enum Statement {
    Data(Box<str>),
    Print(Expr),
    For(Arc<For>),
    /// The tests with their bodies, and what is done if none holds.
    If(Vec<(Expr, Vec<Node>)>, Vec<Node>),
    Set(Target, Expr),
    /// A block whose text, through filters, is the value.
    SetBlock(Target, Option<Expr>, Vec<Node>),
    With(Vec<(Target, Expr)>, Vec<Node>),
    Macro(Arc<Macro>),
    /// `{% call(...) callee(...) %}`
    Call(Expr, Arc<Macro>),
    Filter(Expr, Vec<Node>),
    /// A block of its own scope: `block`, `autoescape`, `generation`.
    Scope(Vec<Node>),
    Break,
    Continue,
    /// A tag that needs other templates.
    Refused(&'static str),
}
