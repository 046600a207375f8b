//! What Python's `re` and `str` do, to the letter: task files and templates are written for them.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bounded_search;
mod error;
mod pattern;
mod regex;
mod replacement;
pub mod text;

pub use error::RegexError;
pub use pattern::escaped;
pub use regex::PythonRegex;
pub use replacement::Replacement;
