//! Files and folders that appear whole or not at all, and replace nothing but the program's own.
//!
//! [`check_target`] says what may be written where, [`write_whole`] and [`StagedFolder`] put it there. What a killed process
//! left is removed by the next one that writes in the same folder. [`is_own_file`] says which links of a folder that was
//! handed over are followed.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod file_kind;
mod files_read;
mod folder_record;
mod leftovers;
mod link_rule;
mod own_temporaries;
mod renames;
mod staged_folder;
mod stamp;
mod target;
mod temporary_name;
mod whole_file;

pub use file_kind::{check_plain, kind_of, open_plain};
pub use files_read::note_read;
pub use folder_record::{RECORD, listing};
pub use leftovers::clean_up;
pub use link_rule::is_own_file;
pub use own_temporaries::{abandon_all, has_placed};
pub use staged_folder::StagedFolder;
pub use stamp::Stamp;
pub use target::{Form, Found, TargetError, check_target};
pub use temporary_name::is_temporary;
pub use whole_file::{write_new, write_whole};

use std::path::Path;

/// The folder that a path names a file of.
fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
