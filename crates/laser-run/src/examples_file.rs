//! `examples.jsonl`: the examples of both splits, one line each.

use crate::entry::SplitName;
use crate::error::{Error, Result};
use crate::run_file::RunFile;
use laser_example::Example;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A line: an example and the split that it is in.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct SplitExample<E> {
    /// Whether candidates are chosen or judged on it.
    split: SplitName,
    #[serde(flatten)]
    example: E,
}

/// A line, as far as it says which split the example is in.
#[derive(Deserialize)]
struct OnlySplit {
    split: SplitName,
}

/// SHA-256, in hex, of the `examples.jsonl` of these splits: what `run.json` has of it.
pub fn examples_sha256(validation: &[&Example], test: &[&Example]) -> Option<String> {
    bytes_of(validation, test).ok().map(|bytes| sha256(&bytes))
}

pub(crate) fn bytes_of(validation: &[&Example], test: &[&Example]) -> std::io::Result<Vec<u8>> {
    let splits = [(SplitName::Validation, validation), (SplitName::Test, test)];
    let mut bytes = Vec::new();
    for (split, example) in splits.iter().flat_map(|(split, examples)| examples.iter().map(|&e| (*split, e))) {
        serde_json::to_writer(&mut bytes, &SplitExample { split, example })?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// The examples of validation and of test, if the file has the hash that is expected of it.
pub(crate) fn parse(path: &Path, bytes: &[u8], expected: Option<&str>) -> Result<(Vec<Example>, Vec<Example>)> {
    let malformed = |why: String| Error::Malformed { path: path.to_owned(), why, advice: RunFile::Examples.advice() };
    let (mut validation, mut test) = (Vec::new(), Vec::new());
    for (number, line) in lines(bytes) {
        let malformed = |why: &str| malformed(format!("line {number} is not an example: {why}"));
        let row: SplitExample<Example> = serde_json::from_slice(line).map_err(|error| malformed(&error.to_string()))?;
        if !row.example.is_whole() {
            return Err(malformed("its answers or choices contradict each other"));
        }
        match row.split {
            SplitName::Validation => validation.push(row.example),
            SplitName::Test => test.push(row.example),
        }
    }
    if expected.is_some_and(|expected| expected != sha256(bytes)) {
        return Err(malformed("it was changed: its hash is not the one in run.json".to_owned()));
    }
    Ok((validation, test))
}

/// How many examples validation and test have; `None` where a line does not say.
pub(crate) fn sizes(bytes: &[u8]) -> Option<[usize; 2]> {
    let mut sizes = [0; 2];
    for (_, line) in lines(bytes) {
        let OnlySplit { split } = serde_json::from_slice(line).ok()?;
        sizes[usize::from(split == SplitName::Test)] += 1;
    }
    Some(sizes)
}

/// The lines that are not empty, with their numbers from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes.split(|&byte| byte == b'\n').enumerate().map(|(i, line)| (i + 1, line)).filter(|(_, line)| !line.is_empty())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
