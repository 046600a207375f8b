//! One commit of a repository, on the hub or in the cache folder.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    download::{download, stored},
    failure::Failure,
    hub::{Download, Hub},
    hub_id::is_plain,
    repository::Repository,
    web::Web,
};

/// How many folders deep files are looked for in the cache.
const DEPTH: usize = 3;
/// No file that names a commit is longer, in bytes.
const LONGEST_REFERENCE: u64 = 1 << 10;

/// One commit's files: all that the hub has, or all that the cache has.
pub(crate) struct Snapshot<'a> {
    /// Where they are in the cache.
    pub folder: PathBuf,
    files: BTreeSet<String>,
    remote: Option<Remote<'a>>,
}

struct Remote<'a> {
    web: Web,
    repository: &'a Repository,
    cache: &'a Path,
    commit: String,
    progress: &'a mut dyn FnMut(Download<'_>),
}

/// The commit in the cache.
pub(crate) fn cached(cache: &Path, repository: &Repository) -> Result<Snapshot<'static>, Failure> {
    let noted = laser_guard::read_text(&repository.reference(cache), LONGEST_REFERENCE);
    let commit = noted.unwrap_or_else(|_| repository.revision.clone());
    let commit = commit.trim();
    let folder = repository.snapshot(cache, commit);
    if !is_plain(commit) || !folder.is_dir() {
        return Err(Failure::Refused(format!("the cache {} does not have it", cache.display())));
    }
    let mut files = BTreeSet::new();
    add_files(&folder, "", DEPTH, &mut files);
    Ok(Snapshot { folder, files, remote: None })
}

/// What `gather` makes of the commit that the hub has now, of which it fetches what the cache
/// lacks.
pub(crate) fn fetch<T>(
    hub: &Hub,
    repository: &Repository,
    progress: &mut dyn FnMut(Download<'_>),
    gather: impl Fn(&mut Snapshot<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let web = Web::new(hub);
    let info = web.json(&repository.info_path())?;
    let commit = info["sha"].as_str().unwrap_or_default().to_owned();
    if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::Refused(format!("the hub names it by {commit:?}, which is not a commit")));
    }
    let siblings = info["siblings"].as_array().into_iter().flatten();
    let files = siblings.filter_map(|file| file["rfilename"].as_str()).map(str::to_owned).collect();
    let folder = repository.snapshot(&hub.cache, &commit);
    let remote = Some(Remote { web, repository, cache: &hub.cache, commit: commit.clone(), progress });
    let gathered = gather(&mut Snapshot { folder, files, remote })?;
    // Where nothing had to be fetched, the branch may still have moved.
    note(&repository.reference(&hub.cache), &commit).map_err(stored)?;
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
        let stored_at = download(&self.web, self.repository, self.cache, &self.commit, file, self.progress)?;
        debug_assert_eq!(stored_at, path);
        Ok(())
    }
}

/// Writes a revision's commit.
fn note(reference: &Path, commit: &str) -> std::io::Result<()> {
    if let Some(folder) = reference.parent() {
        fs::create_dir_all(folder)?;
    }
    laser_files::write_whole(reference, commit.as_bytes())
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
