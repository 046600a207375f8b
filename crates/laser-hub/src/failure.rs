//! Why a repository's files did not come, before it is put in words.

use crate::repository::RepositoryType;

/// What a repository holds, as messages say it.
pub(crate) struct RepositoryKind {
    pub noun: &'static str,
    pub repo: RepositoryType,
    /// Why there is nothing under an id.
    pub missing: &'static str,
}

/// Why nothing came.
pub(crate) enum Failure {
    /// The hub has no such thing.
    Missing,
    /// The hub did not answer, or not sensibly.
    Unreachable(String),
    /// It did, and trying again as before will not help.
    Refused(String),
}

impl Failure {
    /// In words, with what to do.
    pub fn why(self, kind: &RepositoryKind) -> String {
        match self {
            Self::Missing => kind.missing.to_owned(),
            Self::Unreachable(why) | Self::Refused(why) => why,
        }
    }
}
