//! A repository of the hub: its addresses there, and its places in the cache folder, as Hugging Face's
//! own library lays them out.

use std::path::{Path, PathBuf};

/// What a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepositoryType {
    Model,
    DataSet,
}

/// A repository at one of its revisions.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// `OWNER/NAME`, or `NAME` alone.
    pub id: String,
    pub of: RepositoryType,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl Repository {
    /// Where the hub's interface tells of it.
    pub fn info_path(&self) -> String {
        let plural = match self.of {
            RepositoryType::Model => "models",
            RepositoryType::DataSet => "datasets",
        };
        format!("{plural}/{}/revision/{}", self.id, self.revision.replace('/', "%2F"))
    }

    /// Where the hub has the file `name`, escaped as in an address, of a commit.
    pub fn file_path(&self, commit: &str, name: &str) -> String {
        let before = if self.of == RepositoryType::DataSet { "datasets/" } else { "" };
        format!("{before}{}/resolve/{commit}/{name}", self.id)
    }

    /// Its folder in the cache folder `cache`.
    pub fn folder(&self, cache: &Path) -> PathBuf {
        let kind = match self.of {
            RepositoryType::Model => "models",
            RepositoryType::DataSet => "datasets",
        };
        cache.join(format!("{kind}--{}", self.id.replace('/', "--")))
    }

    /// The file that names the revision's commit.
    pub fn reference(&self, cache: &Path) -> PathBuf {
        self.folder(cache).join("refs").join(&self.revision)
    }

    /// The lock of a content, where Hugging Face's own library has it.
    pub fn lock(&self, cache: &Path, etag: &str) -> PathBuf {
        let folder = self.folder(cache);
        let name = folder.file_name().unwrap_or_default();
        cache.join(".locks").join(name).join(format!("{etag}.lock"))
    }

    /// The folder of a commit's files.
    pub fn snapshot(&self, cache: &Path, commit: &str) -> PathBuf {
        self.folder(cache).join("snapshots").join(commit)
    }
}
