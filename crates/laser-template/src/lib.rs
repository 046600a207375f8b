//! Jinja templates, rendered as Python's Jinja2 renders them.
//!
//! Task files and chat templates are written for Jinja2 and for Python's values: a list prints as Python's `repr`, a
//! dictionary keeps its order, `"%s" % x` formats, `xs.index(x)` is a method, `a < b < c` is one comparison. A prompt
//! must be the same to the byte, so the language is implemented here as a whole, over values of Python's kinds. It
//! runs no code but its own, reads no file, and ends within bounds, whatever a template says.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod access;
mod arguments;
mod arithmetic;
mod ast;
mod brace_format;
mod calendar;
mod characters;
mod compare;
mod conversion;
mod dict_entries;
mod dict_methods;
mod error;
mod evaluate;
mod execute;
mod filter_json;
mod filter_number;
mod filter_select;
mod filter_sequence;
mod filter_text;
mod filter_wrap;
mod float_text;
mod globals;
mod html_entities;
mod lexer;
mod limits;
mod list_methods;
mod literal;
mod loop_object;
mod machine;
mod number_format;
mod objects;
mod operators;
mod outside;
mod parse_expression;
mod parse_operand;
mod parse_statement;
mod parser;
mod percent;
mod predicates;
mod pretty;
mod registry;
mod render;
mod repr;
mod scope;
mod str_methods;
mod str_search;
mod str_split;
mod string_literal;
mod token;
mod value;

pub use error::{Error, ErrorKind, Result};
pub use literal::literal;
pub use render::{Environment, Expression, Template};
pub use str_methods::NAMES as STR_METHODS;
pub use value::{Dialect, TextFilter, Value};
