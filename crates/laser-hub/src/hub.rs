//! Where models and data sets come from, and the folder that they go to.

use std::{env, ffi::OsString, path::PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};

/// No token is longer, in bytes.
const LONGEST_TOKEN: u64 = 1 << 12;

/// Where models and data sets come from and go to.
#[derive(Clone)]
pub struct Hub {
    /// The folder of `models--OWNER--NAME` and `datasets--OWNER--NAME` folders.
    pub cache: PathBuf,
    /// The hub's address, without a slash at the end.
    pub endpoint: String,
    /// Shown to the hub, for what not everyone may read.
    pub token: Option<String>,
    /// Use only what the cache has.
    pub offline: bool,
}

/// A file on its way.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    /// Its name in the repository.
    pub file: &'a str,
    /// Bytes that are here.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Hub {
    /// As Hugging Face's own library: `HF_HUB_CACHE` (or the older `HUGGINGFACE_HUB_CACHE`) or
    /// `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN` or the token file, `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        Self::from_variables(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    pub(crate) fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| get(name).map(PathBuf::from);
        let text = |name| get(name).and_then(|value| value.into_string().ok());
        let home = path("HF_HOME").unwrap_or_else(|| {
            // huggingface_hub follows the XDG rules on every system, and takes relative paths as
            // well.
            let caches = path("XDG_CACHE_HOME").or_else(|| Some(Xdg::new().ok()?.cache_dir()));
            caches.unwrap_or_default().join("huggingface")
        });
        let token = text("HF_TOKEN").or_else(|| {
            laser_guard::read_text(&path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token")), LONGEST_TOKEN).ok()
        });
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let offline =
            text("HF_HUB_OFFLINE").is_some_and(|on| ["1", "on", "yes", "true"].contains(&on.to_lowercase().as_str()));
        Self {
            cache: path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| home.join("hub")),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token,
            offline,
        }
    }
}
