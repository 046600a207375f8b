//! An edit set with the files of the model that it is for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Candidate;

/// `best.json`: what `laser apply --recipe` does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The interventions.
    pub interventions: Candidate,
    /// The files of the model that they were found for.
    pub model: Vec<FileHash>,
    /// The SHA-256 of the text that they are calibrated on, if some are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
}

/// One file's content, by hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileHash {
    /// The file's name, without its folder.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}
