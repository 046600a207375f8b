//! Which text, for its perplexity.

use crate::error::{Error, Result};
use laser_checkpoint::Config;
use laser_engine::{Corpus, windows_for};
use laser_tokenizer::Tokenizer;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// No text is larger, in bytes.
const LARGEST: u64 = 1 << 28;
/// Nor one of which so many tokens are wanted that all of it is encoded: each byte takes some 200 meanwhile.
const LARGEST_WHOLE: u64 = 1 << 24;

/// A text file in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSource {
    /// The file.
    pub path: PathBuf,
    /// At most so many of its first tokens.
    pub limit: usize,
}

/// A text as a model's tokens.
#[derive(Debug)]
pub struct OpenText {
    pub(crate) corpus: Corpus,
    pub(crate) sha256: String,
}

impl TextSource {
    /// The text.
    pub(crate) fn read(&self) -> Result<String> {
        let path = || self.path.clone();
        let few = self.limit as u64 <= LARGEST_WHOLE / 8;
        let most = if few { LARGEST } else { LARGEST_WHOLE };
        laser_files::note_read(&self.path);
        let bytes = laser_guard::read_file(&self.path, most).map_err(|source| Error::Unreadable {
            what: "text",
            path: path(),
            source,
        })?;
        String::from_utf8(bytes).map_err(|_| Error::TextEncoding { path: path() })
    }

    pub(crate) fn open(&self, tokenizer: &Tokenizer, config: &Config) -> Result<OpenText> {
        let text = self.read()?;
        let corpus = Corpus::new(&text, tokenizer, config, windows_for(config), self.limit)
            .map_err(|source| Error::Text { path: self.path.clone(), source: Box::new(source) })?;
        Ok(OpenText { corpus, sha256: sha256_of(text.as_bytes()) })
    }
}

/// The hash of some bytes, in hex.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
