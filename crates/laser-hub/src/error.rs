//! What can go wrong between here and the hub.

/// A result of this crate.
pub type Result<T, E = HubError> = std::result::Result<T, E>;

/// A model or data set did not come from the hub. The message is one line: what, why, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot get {id:?} from the Hugging Face hub: {why}")]
pub struct HubError {
    /// What was asked for.
    pub id: String,
    /// Why not, and what to do.
    pub why: String,
}
