//! Models by their Hugging Face hub id, `OWNER/NAME` or `OWNER/NAME@REVISION`: fetched once into the cache folder that all of
//! Hugging Face's programs share, and found there again.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use hf_hub::{
    Cache, Repo, RepoType,
    api::{
        Progress,
        sync::{ApiBuilder, ApiError},
    },
};

use crate::{CheckpointError, files::read_json, pytorch, safetensors_file as safetensors};

const CONFIG: &str = "config.json";
/// Fetched where a model has them.
const SMALL: [&str; 11] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];
/// The first that a model has is fetched, and no other.
const WEIGHTS: [&str; 4] = [safetensors::SINGLE, safetensors::INDEX, pytorch::SINGLE, pytorch::INDEX];
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

/// Where models come from and go to.
#[derive(Clone)]
pub struct Hub {
    /// The folder of `models--OWNER--NAME` folders.
    pub cache: PathBuf,
    /// The hub's address, without a slash at the end.
    pub endpoint: String,
    /// Shown to the hub, for models that not everyone may read.
    pub token: Option<String>,
    /// Use only what the cache has.
    pub offline: bool,
}

/// A file on its way.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    /// Its name in the model's folder.
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
        let failed = |why: String| CheckpointError::Hub { id: id.to_owned(), why: why.replace(['\n', '\r'], " ") };
        let Some(Id { name, revision }) = Id::parse(id) else {
            return Err(failed("it is no id: write OWNER/NAME or OWNER/NAME@REVISION".to_owned()));
        };
        let repo = Repo::with_revision(name.to_owned(), RepoType::Model, revision.to_owned());
        if self.offline {
            return self.cached(repo).map_err(|missing| {
                failed(format!("HF_HUB_OFFLINE is set, and {missing}: unset it, or fetch the model first"))
            });
        }
        match self.fetch(repo.clone(), progress) {
            // Without a connection, a model that is whole in the cache still serves.
            Err(Failure::Unreachable(why)) => self
                .cached(repo)
                .map_err(|missing| failed(format!("{why}, and {missing}: check the connection and run this again"))),
            Err(Failure::Refused(why)) => Err(failed(why)),
            Ok(folder) => Ok(folder),
        }
    }

    /// The model's folder in the cache, or what is missing there.
    fn cached(&self, repo: Repo) -> Result<PathBuf, String> {
        let (revision, cache) = (repo.revision().to_owned(), Cache::new(self.cache.clone()));
        let folder = self.cache.join(repo.folder_name());
        let commit = fs::read_to_string(folder.join("refs").join(&revision)).unwrap_or(revision);
        let commit = commit.trim();
        let snapshot = cache.repo(repo).pointer_path(commit);
        if !is_plain(commit) || !snapshot.is_dir() {
            return Err(format!("the cache {} does not have it", self.cache.display()));
        }
        gather(
            |file| snapshot.join(file).exists(),
            |file| match snapshot.join(file) {
                path if path.exists() => Ok(path),
                _ => Err(format!("its cached copy {} lacks {file}", snapshot.display())),
            },
            |missing| format!("its cached copy {} has {missing}", snapshot.display()),
        )?;
        Ok(snapshot)
    }

    /// The model's folder in the cache, after fetching what it lacks of the commit that the hub has now.
    fn fetch(&self, repo: Repo, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf, Failure> {
        let cache = Cache::new(self.cache.clone());
        let api = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false)
            .with_retries(3)
            .build()?
            .repo(repo.clone());
        let info = api.info()?;
        if !is_plain(&info.sha) {
            return Err(Failure::Refused(format!("the hub names it by {:?}, which is no commit", info.sha)));
        }
        let repo = cache.repo(repo);
        let snapshot = repo.pointer_path(&info.sha);
        let files: BTreeSet<&str> = info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
        gather(
            |file| files.contains(file),
            |file| {
                if snapshot.join(file).exists() {
                    return Ok(snapshot.join(file));
                }
                let mut total = 0;
                let reporter = Reporter { file: file.to_owned(), done: 0, total: &mut total, progress: &mut *progress };
                let path = api.download_with_progress(file, reporter)?;
                if path != snapshot.join(file) {
                    return Err(Failure::Refused("it was changed on the hub meanwhile: run this again".to_owned()));
                }
                let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
                if length != total {
                    // Neither the link nor what it leads to may be taken for the file the next time.
                    for path in [fs::canonicalize(&path).ok(), Some(path)].into_iter().flatten() {
                        fs::remove_file(path).ok();
                    }
                    let why = format!("{file} arrived with {length} of {total} bytes: run this again");
                    return Err(Failure::Refused(why));
                }
                Ok(path)
            },
            |missing| Failure::Refused(format!("it has {missing}: choose another model or revision")),
        )?;
        // Where nothing had to be fetched, the branch may still have moved.
        repo.create_ref(&info.sha).map_err(ApiError::IoError)?;
        Ok(snapshot)
    }
}

/// Gets every file that a model needs: `has` says which there are, `get` hands one over.
fn gather<E>(
    has: impl Fn(&str) -> bool,
    mut get: impl FnMut(&str) -> Result<PathBuf, E>,
    lacks: impl Fn(&str) -> E,
) -> Result<(), E> {
    if !has(CONFIG) {
        return Err(lacks("no config.json"));
    }
    let Some(weights) = WEIGHTS.into_iter().find(|file| has(file)) else {
        return Err(lacks("no model.safetensors and no pytorch_model.bin, single or with an index"));
    };
    get(CONFIG)?;
    for file in SMALL.into_iter().filter(|file| has(file)) {
        get(file)?;
    }
    let path = get(weights)?;
    if [safetensors::INDEX, pytorch::INDEX].contains(&weights) {
        let index = read_json(&path).map_err(|error| lacks(&format!("an index that cannot be read ({error})")))?;
        let shards = index["weight_map"].as_object().into_iter().flat_map(|map| map.values());
        let shards: Option<BTreeSet<&str>> = shards.map(|shard| shard.as_str().filter(|name| is_plain(name))).collect();
        let Some(shards) = shards.filter(|shards| !shards.is_empty()) else {
            return Err(lacks("an index that names no files"));
        };
        for shard in shards {
            get(shard)?;
        }
    }
    Ok(())
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

/// Why a model did not come.
enum Failure {
    /// The hub did not answer, or not sensibly.
    Unreachable(String),
    /// It did, and trying again as before will not help.
    Refused(String),
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
            (Some(404), _) => Self::Refused("the hub has no such model or revision: check the spelling".to_owned()),
            // The hub answers so for a model that does not exist, too.
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

/// Turns hf-hub's events into [`Download`]s.
struct Reporter<'a> {
    file: String,
    done: u64,
    total: &'a mut u64,
    progress: &'a mut dyn FnMut(Download<'_>),
}

impl Progress for Reporter<'_> {
    /// Comes again whenever a download begins anew or goes on.
    fn init(&mut self, size: usize, _: &str) {
        (self.done, *self.total) = (0, size as u64);
        self.update(0);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        (self.progress)(Download { file: &self.file, done: self.done, total: *self.total });
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests;
