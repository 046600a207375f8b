//! One commit of a repository, on the hub or in the cache folder.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hf_hub::{
    Cache, Repo,
    api::{
        Progress,
        sync::{ApiBuilder, ApiError, ApiRepo},
    },
};

use crate::{
    failure::Failure,
    hub::{Download, Hub},
    hub_id::is_plain,
};

/// How many folders deep files are looked for in the cache.
const DEPTH: usize = 3;

/// One commit's files: all that the hub has, or all that the cache has.
pub(crate) struct Snapshot<'a> {
    /// Where they are in the cache.
    pub folder: PathBuf,
    files: BTreeSet<String>,
    remote: Option<Remote<'a>>,
}

struct Remote<'a> {
    api: ApiRepo,
    progress: &'a mut dyn FnMut(Download<'_>),
}

/// The commit in the cache.
pub(crate) fn cached(cache_folder: &Path, repo: Repo) -> Result<Snapshot<'static>, Failure> {
    let (revision, cache) = (repo.revision().to_owned(), Cache::new(cache_folder.to_owned()));
    let folder = cache_folder.join(repo.folder_name());
    let commit = fs::read_to_string(folder.join("refs").join(&revision)).unwrap_or(revision);
    let commit = commit.trim();
    let folder = cache.repo(repo).pointer_path(commit);
    if !is_plain(commit) || !folder.is_dir() {
        return Err(Failure::Refused(format!("the cache {} does not have it", cache_folder.display())));
    }
    let mut files = BTreeSet::new();
    add_files(&folder, "", DEPTH, &mut files);
    Ok(Snapshot { folder, files, remote: None })
}

/// What `gather` makes of the commit that the hub has now, of which it fetches what the cache
/// lacks.
pub(crate) fn fetch<T>(
    hub: &Hub,
    repo: Repo,
    progress: &mut dyn FnMut(Download<'_>),
    gather: impl Fn(&mut Snapshot<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let cache = Cache::new(hub.cache.clone());
    let api = ApiBuilder::from_cache(cache.clone())
        .with_endpoint(hub.endpoint.clone())
        .with_token(hub.token.clone())
        .with_progress(false)
        .with_retries(3)
        .build()?
        .repo(repo.clone());
    let info = api.info()?;
    if !is_plain(&info.sha) {
        return Err(Failure::Refused(format!("the hub names it by {:?}, which is not a commit", info.sha)));
    }
    let repo = cache.repo(repo);
    let files = info.siblings.into_iter().map(|file| file.rfilename).collect();
    let remote = Some(Remote { api, progress });
    let gathered = gather(&mut Snapshot { folder: repo.pointer_path(&info.sha), files, remote })?;
    // Where nothing had to be fetched, the branch may still have moved.
    repo.create_ref(&info.sha).map_err(ApiError::IoError)?;
    Ok(gathered)
}

impl Snapshot<'_> {
    /// The names of the files, with slashes where they are in folders.
    pub fn files(&self) -> &BTreeSet<String> {
        &self.files
    }

    pub fn has(&self, file: &str) -> bool {
        self.files.contains(file)
    }

    /// Where a file is in the cache, fetched if need be.
    pub fn get(&mut self, file: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(file);
        match &mut self.remote {
            _ if path.exists() => Ok(path),
            Some(remote) => remote.download(file, &path).map(|()| path),
            None => Err(Failure::Refused(format!("its cached copy {} lacks {file}", self.folder.display()))),
        }
    }

    /// The failure of a repository that has not what is needed: `what` follows "it has", `advice`
    /// goes with what the hub has.
    pub fn flawed(&self, what: &str, advice: &str) -> Failure {
        Failure::Refused(match self.remote {
            Some(_) => format!("it has {what}: {advice}"),
            None => format!("its cached copy {} has {what}", self.folder.display()),
        })
    }
}

impl Remote<'_> {
    /// Fetches a file that then is at `path`.
    fn download(&mut self, file: &str, path: &Path) -> Result<(), Failure> {
        let mut total = 0;
        let reporter = Reporter { file: file.to_owned(), done: 0, total: &mut total, progress: &mut *self.progress };
        let stored = self.api.download_with_progress(file, reporter)?;
        if stored != path {
            return Err(Failure::Refused("it was changed on the hub meanwhile: run this again".to_owned()));
        }
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        if length != total {
            // Neither the link nor what it leads to may be taken for the file the next time.
            for path in [fs::canonicalize(path).ok(), Some(stored)].into_iter().flatten() {
                fs::remove_file(path).ok();
            }
            let why = format!("{file} arrived with {length} of {total} bytes: run this again");
            return Err(Failure::Refused(why));
        }
        Ok(())
    }
}

/// Adds the names of all files under `folder`, which is called `name`; a link to nothing is no
/// file.
fn add_files(folder: &Path, name: &str, depth: usize, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(file) = entry.file_name().into_string() else { continue };
        let (path, name) = (entry.path(), format!("{name}{file}"));
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.extend(path.exists().then_some(name));
        } else if depth > 1 {
            add_files(&path, &format!("{name}/"), depth - 1, files);
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
