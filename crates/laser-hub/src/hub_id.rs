//! Ids of the hub, and names of files that lead nowhere else.

use std::path::Path;

/// Files that a mistyped path ends with, and no model's name.
const FILE_ENDINGS: [&str; 6] = [".gguf", ".bin", ".safetensors", ".json", ".jsonl", ".git"];

/// Whether `text` has the form of a hub id. Whether such a model exists is another matter, and so
/// is whether a path of this name does: a path on disk should go first.
pub fn is_hub_id(text: &str) -> bool {
    HubId::parse(text).is_some()
}

/// A file's or folder's name that leads nowhere else.
pub(crate) fn is_plain(name: &str) -> bool {
    Path::new(name).file_name() == Some(name.as_ref())
}

/// A hub id, taken apart.
pub(crate) struct HubId<'a> {
    pub name: &'a str,
    pub revision: &'a str,
}

impl<'a> HubId<'a> {
    /// The hub's own rules for names; for revisions, git's, roughly.
    pub fn parse(text: &'a str) -> Option<Self> {
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
