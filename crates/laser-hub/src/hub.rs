//! Models and data sets by their Hugging Face hub id, `OWNER/NAME` or for a model also `OWNER/NAME@REVISION`: fetched once into the
//! cache folder that all of Hugging Face's programs share, and found there again.

mod dataset;
mod model;
mod snapshot;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use hf_hub::{Repo, RepoType, api::sync::ApiError};

pub use dataset::DatasetFiles;
use snapshot::Snapshot;

use crate::CheckpointError;

/// Files that a mistyped path ends with, and no model's name.
const FILE_ENDINGS: [&str; 6] = [".gguf", ".bin", ".safetensors", ".json", ".jsonl", ".git"];

/// Whether `text` has the form of a hub id. Whether such a model exists is another matter, and so is whether a path of this name
/// does: a path on disk should go first.
pub fn is_hub_id(text: &str) -> bool {
    Id::parse(text).is_some()
}

/// The local folder of a model, fetched from the hub where the cache does not have it. The environment decides how: [`Hub::from_env`].
///
/// # Errors
/// No such model, no access to it, no weights that can be read, or no connection and nothing cached.
pub fn resolve(id: &str) -> crate::Result<PathBuf> {
    Hub::from_env().resolve(id, &mut |_| {})
}

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
    /// As Hugging Face's own library: `HF_HUB_CACHE` or `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN` or the token file, `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        Self::from_variables(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| get(name).map(PathBuf::from);
        let text = |name| get(name).and_then(|value| value.into_string().ok());
        let home = path("HF_HOME").unwrap_or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| Some(env::home_dir()?.join(".cache")));
            caches.unwrap_or_default().join("huggingface")
        });
        let token = text("HF_TOKEN")
            .or_else(|| fs::read_to_string(path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"))).ok());
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let offline =
            text("HF_HUB_OFFLINE").is_some_and(|on| ["1", "on", "yes", "true"].contains(&on.to_lowercase().as_str()));
        Self {
            cache: path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token,
            offline,
        }
    }

    /// The local folder of the model `id`. `progress` hears of every piece that arrives.
    ///
    /// # Errors
    /// No such model, no access to it, no weights that can be read, or no connection and nothing cached.
    pub fn resolve(&self, id: &str, progress: &mut dyn FnMut(Download<'_>)) -> crate::Result<PathBuf> {
        let Some(Id { name, revision }) = Id::parse(id) else {
            let why = "it is no id: write OWNER/NAME or OWNER/NAME@REVISION".to_owned();
            return Err(CheckpointError::Hub { id: id.to_owned(), why });
        };
        let repo = Repo::with_revision(name.to_owned(), model::KIND.repo, revision.to_owned());
        self.bring(id, &model::KIND, repo, progress, |snapshot| {
            model::gather(snapshot)?;
            Ok(snapshot.folder.clone())
        })
    }

    /// The Parquet files of one split of a data set, in their order. `progress` hears of every piece that arrives.
    ///
    /// # Errors
    /// No such data set, configuration or split, no access to it, no Parquet files of the whole split, or no connection and nothing
    /// cached.
    pub fn dataset(
        &self,
        dataset: &DatasetFiles,
        progress: &mut dyn FnMut(Download<'_>),
    ) -> crate::Result<Vec<PathBuf>> {
        let id = &dataset.id;
        if id.contains('@') || !is_hub_id(id) {
            let why = "it is no data set's id: write OWNER/NAME".to_owned();
            return Err(CheckpointError::Hub { id: id.clone(), why });
        }
        let repo = Repo::with_revision(id.clone(), dataset::KIND.repo, dataset::REVISION.to_owned());
        self.bring(id, &dataset::KIND, repo, progress, |snapshot| dataset::gather(snapshot, dataset))
    }

    /// What `gather` makes of a repository's newest commit, or without a connection of the commit in the cache.
    fn bring<T>(
        &self,
        id: &str,
        kind: &Kind,
        repo: Repo,
        progress: &mut dyn FnMut(Download<'_>),
        gather: impl Fn(&mut Snapshot<'_>) -> Result<T, Failure>,
    ) -> crate::Result<T> {
        let failed = |why: String| CheckpointError::Hub { id: id.to_owned(), why: why.replace(['\n', '\r'], " ") };
        let cached = |repo| {
            let gathered = self.cached(repo).and_then(|mut snapshot| gather(&mut snapshot));
            gathered.map_err(|failure| failure.why(kind))
        };
        if self.offline {
            return cached(repo).map_err(|missing| {
                failed(format!("HF_HUB_OFFLINE is set, and {missing}: unset it, or fetch the {} first", kind.noun))
            });
        }
        match self.fetch(repo.clone(), progress, &gather) {
            // Without a connection, what is whole in the cache still serves.
            Err(Failure::Unreachable(why)) => cached(repo)
                .map_err(|missing| failed(format!("{why}, and {missing}: check the connection and run this again"))),
            Err(failure) => Err(failed(failure.why(kind))),
            Ok(gathered) => Ok(gathered),
        }
    }
}

/// A file's or folder's name that leads nowhere else.
fn is_plain(name: &str) -> bool {
    Path::new(name).file_name() == Some(name.as_ref())
}

/// A hub id, taken apart.
struct Id<'a> {
    name: &'a str,
    revision: &'a str,
}

impl<'a> Id<'a> {
    /// The hub's own rules for names; for revisions, git's, roughly.
    fn parse(text: &'a str) -> Option<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let plain = |part: &str| {
            let bare = |end: char| "-.".contains(end);
            !part.is_empty() && letters(part) && !part.starts_with(bare) && !part.ends_with(bare)
        };
        let branch = |part: &str| !part.is_empty() && letters(part) && !part.starts_with('.') && !part.ends_with('.');
        let fits = name.len() <= 96
            && name.split('/').count() <= 2
            && name.split('/').all(plain)
            && !name.contains("--")
            && !name.contains("..")
            && !FILE_ENDINGS.iter().any(|ending| name.ends_with(ending))
            && revision.len() <= 255
            && revision.split('/').all(branch)
            && !revision.contains("..");
        fits.then_some(Self { name, revision })
    }
}

/// What a repository holds, as messages say it.
struct Kind {
    noun: &'static str,
    repo: RepoType,
    /// Why there is nothing under an id.
    missing: &'static str,
}

/// Why nothing came.
enum Failure {
    /// The hub has no such thing.
    Missing,
    /// The hub did not answer, or not sensibly.
    Unreachable(String),
    /// It did, and trying again as before will not help.
    Refused(String),
}

impl Failure {
    /// In words, with what to do.
    fn why(self, kind: &Kind) -> String {
        match self {
            Self::Missing => kind.missing.to_owned(),
            Self::Unreachable(why) | Self::Refused(why) => why,
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let status = match &error {
            ApiError::RequestError(error) => match **error {
                ureq::Error::StatusCode(status) => Some(status),
                _ => None,
            },
            _ => None,
        };
        match (status, error) {
            (Some(404), _) => Self::Missing,
            // The hub answers so for an id that does not exist, too.
            (Some(401 | 403), _) => Self::Refused(
                "the hub does not show it: check the spelling, or accept its terms on its page and set HF_TOKEN"
                    .to_owned(),
            ),
            (_, ApiError::LockAcquisition(lock)) => {
                Self::Refused(format!("another process is fetching it ({}): wait for that one", lock.display()))
            }
            (_, ApiError::IoError(error)) => Self::Unreachable(format!("it could not be fetched or stored ({error})")),
            (_, error) => Self::Unreachable(format!("the hub cannot be reached ({error})")),
        }
    }
}

#[cfg(test)]
mod tests;
