//! A tokenizer's files, which are read as a whole.

use std::path::Path;

use serde_json::Value;

use crate::error::{Result, TokenizerError, malformed};

/// No vocabulary and no configuration is larger, in bytes.
const LARGEST: u64 = 1 << 28;

/// No chat template is longer, in bytes.
const LONGEST_TEMPLATE: u64 = 1 << 24;

/// The bytes of a vocabulary.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    laser_guard::read_file(path, LARGEST).map_err(|error| malformed(format!("{}: {error}", path.display())))
}

/// A JSON file's content.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let text = laser_guard::read_file(path, LARGEST).map_err(failed(path))?;
    serde_json::from_slice(&text)
        .map_err(|error| TokenizerError::Damaged { path: path.to_owned(), why: format!("it is no JSON: {error}") })
}

/// A JSON file's content; `None` if there is nothing. Anything there but a file is an error.
pub(crate) fn read_json_if_there(path: &Path) -> Result<Option<Value>> {
    if path.try_exists().unwrap_or(true) { read_json(path).map(Some) } else { Ok(None) }
}

/// A chat template's text.
pub(crate) fn read_template(path: &Path) -> Result<String> {
    laser_guard::read_text(path, LONGEST_TEMPLATE).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> TokenizerError {
    move |cause| TokenizerError::Io { path: path.to_owned(), cause }
}
