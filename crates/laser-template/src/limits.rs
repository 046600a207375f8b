//! How much a template may do: whatever it says, rendering ends soon and within bounds. Steps and sizes are raised by the user
//! ([`laser_guard::LIMITS`]); how deep things are nested is not, for the stack has its own size.

use crate::error::{Error, Result};

/// Steps of one rendering: an expression, a piece of text, an item.
const STEPS: u64 = 10_000_000;
/// Bytes of any text.
const TEXT: usize = 1 << 24;
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
const SOURCE: usize = 1 << 22;

/// Steps that a rendering has.
pub(crate) fn steps() -> u64 {
    laser_guard::raised(STEPS)
}

/// The error of a rendering that has used them up.
pub(crate) fn no_steps_left() -> Error {
    Error::limit(format!("the template does more than {} steps ({})", steps(), laser_guard::how_to_raise()))
}

/// Bytes that a text may have.
pub(crate) fn longest_text() -> usize {
    laser_guard::raised_size(TEXT)
}

/// Nothing, or the error of an output that is too long.
pub(crate) fn output(bytes: usize) -> Result<()> {
    raisable(bytes, TEXT, "the template writes more than", "bytes")
}

/// Nothing, or the error of a template that is too long.
pub(crate) fn source(bytes: usize) -> Result<()> {
    raisable(bytes, SOURCE, "the template has more than", "bytes")
}

/// Nothing, or the error of a text that is too long.
pub(crate) fn text(bytes: usize) -> Result<()> {
    raisable(bytes, TEXT, "the template makes a text of more than", "bytes")
}

/// Nothing, or the error of a list that is too long.
pub(crate) fn items(count: usize) -> Result<()> {
    raisable(count, ITEMS, "the template makes a list of more than", "items")
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

fn raisable(count: usize, usual: usize, what: &str, unit: &str) -> Result<()> {
    let most = laser_guard::raised_size(usual);
    match count > most {
        true => Err(Error::limit(format!("{what} {most} {unit} ({})", laser_guard::how_to_raise()))),
        false => Ok(()),
    }
}

fn within(count: usize, most: usize, what: &str, unit: &str) -> Result<()> {
    match count > most {
        true => Err(Error::limit(format!("the template makes {what} {most} {unit}"))),
        false => Ok(()),
    }
}
