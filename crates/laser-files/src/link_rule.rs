//! Which links of a folder that was handed over are followed.

use std::fs;
use std::io;
use std::path::Path;

/// Whether `file`, which is in `folder`, is the folder's own: no link, or one to a file inside the folder that is not hidden, or to a
/// blob of the same repository in the hub's cache (`models--NAME/snapshots/REVISION/x` -> `models--NAME/blobs/HASH`). Whatever else a
/// link points to may be a private file of whoever runs the program.
///
/// # Errors
/// The link points to nothing, or may not be looked at.
pub fn is_own_file(folder: &Path, file: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(file)?.is_symlink() {
        return Ok(true);
    }
    let (folder, file) = (folder.canonicalize()?, file.canonicalize()?);
    if let Ok(within) = file.strip_prefix(&folder) {
        // Hidden files are the user's own, such as a token that `git clone` left in .git/config.
        return Ok(!within.iter().any(|name| name.to_string_lossy().starts_with('.')));
    }
    let name_of = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut above = folder.ancestors().filter(|path| name_of(path) == "snapshots").filter_map(Path::parent);
    Ok(above.any(|repository| {
        name_of(repository).starts_with("models--") && file.parent() == Some(&repository.join("blobs"))
    }))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_within_the_folder_or_to_the_blobs_of_its_repository() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        let model = at("models--a--b/snapshots/1234");
        for folder in ["models--a--b/snapshots/1234/sub", "models--a--b/blobs", "models--a--c/blobs", "elsewhere"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["models--a--b/blobs/aa", "models--a--c/blobs/bb", "elsewhere/private", "models--a--b/own"] {
            fs::write(at(file), "x").unwrap();
        }
        fs::write(model.join("plain"), "x").unwrap();
        fs::create_dir(model.join(".git")).unwrap();
        fs::write(model.join(".git/config"), "x").unwrap();
        symlink("../elsewhere/private", at("models--a--b/blobs-link")).unwrap();
        symlink(at("elsewhere/private"), at("models--a--b/blobs/cc")).unwrap();
        for (name, to, own) in [
            ("blob", "../../blobs/aa", true),
            ("inside", "plain", true),
            ("twice", "inside", true),
            ("hidden", ".git/config", false),
            ("other-repository", "../../../models--a--c/blobs/bb", false),
            ("through-a-blob", "../../blobs/cc", false),
            ("beside", "../../own", false),
            ("private", "../../../elsewhere/private", false),
            ("environment", "/proc/self/environ", false),
        ] {
            symlink(to, model.join(name)).unwrap();
            assert_eq!(is_own_file(&model, &model.join(name)).unwrap(), own, "{name}");
        }
        assert!(is_own_file(&model, &model.join("plain")).unwrap());
        symlink("nowhere", model.join("dangling")).unwrap();
        assert!(is_own_file(&model, &model.join("dangling")).is_err());
    }
}
