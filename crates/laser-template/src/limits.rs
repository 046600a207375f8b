//! How much a template may do: whatever it says, rendering ends soon and within bounds.

use crate::error::{Error, Result};

/// Steps of one rendering: an expression, a piece of text, an item.
pub(crate) const STEPS: u64 = 10_000_000;
/// Bytes of any text.
pub(crate) const TEXT: usize = 1 << 24;
/// Items of any list.
const ITEMS: usize = 1 << 20;
/// Bits of any integer; Python prints no more than 4300 digits.
const BITS: u64 = 1 << 16;
/// Digits that a format may ask for after a float's point; Rust writes at most 65,535.
const PLACES: usize = 10_000;
/// How deep expressions, statements and macros may go when a template is rendered.
pub(crate) const CALLS: usize = 800;
/// How deep a template's brackets and blocks may be nested, and how long its chains may be.
pub(crate) const NESTING: usize = 120;
/// How long a chain of operators, filters or attributes may be.
pub(crate) const CHAIN: usize = 300;
/// How many such operations one tag may have.
pub(crate) const OPERATIONS: usize = 2000;
/// How deep lists may be nested that are printed, compared or hashed.
const DEPTH: usize = 200;
/// Bytes of a template.
pub(crate) const SOURCE: usize = 1 << 22;

/// Nothing, or the error of a text that is too long.
pub(crate) fn text(bytes: usize) -> Result<()> {
    within(bytes, TEXT, "a text of more than", "bytes")
}

/// Nothing, or the error of a list that is too long.
pub(crate) fn items(count: usize) -> Result<()> {
    within(count, ITEMS, "a list of more than", "items")
}

/// Nothing, or the error of an integer that is too large.
pub(crate) fn bits(count: u64) -> Result<()> {
    within(usize::try_from(count).unwrap_or(usize::MAX), BITS as usize, "an integer of more than", "bits")
}

/// Nothing, or the error of a float with too many digits.
pub(crate) fn places(count: usize) -> Result<()> {
    within(count, PLACES, "a float of more than", "digits")
}

/// Nothing, or the error of a nest that is too deep.
pub(crate) fn nested(depth: usize) -> Result<()> {
    within(depth, DEPTH, "lists nested deeper than", "levels")
}

fn within(count: usize, most: usize, what: &str, unit: &str) -> Result<()> {
    match count > most {
        true => Err(Error::limit(format!("the template makes {what} {most} {unit}"))),
        false => Ok(()),
    }
}
