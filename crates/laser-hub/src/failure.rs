//! Why a repository's files did not come, before it is put in words.

use hf_hub::{RepoType, api::sync::ApiError};

/// What a repository holds, as messages say it.
pub(crate) struct RepositoryKind {
    pub noun: &'static str,
    pub repo: RepoType,
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
