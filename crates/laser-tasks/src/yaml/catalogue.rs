//! Task and group files by the names that they give themselves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_yaml_ng::Value;

use super::naming_keys::NamingKeys;

/// Folders within folders are looked into so deep, and no deeper.
const DEEPEST: usize = 8;

/// So many YAML files are looked at, and no more.
const MOST_FILES: usize = 50_000;

/// So many tags of a task are looked at, and no more.
const MOST_TAGS: usize = 100;

/// A folder above a group's file of this name is searched, too.
const ROOT: &str = "tasks";

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Task(PathBuf),
    Group(PathBuf),
    /// The names of the tasks that have this tag, sorted.
    Tag(Vec<String>),
}

/// The names of one folder's files and of those below.
type Names = HashMap<String, Named>;

/// The names of folders that have been searched.
#[derive(Default)]
pub struct Catalogue {
    folders: RefCell<HashMap<PathBuf, Rc<Names>>>,
}

impl Catalogue {
    /// What `name` stands for in a group's file in `folder`: in that folder and those below, else in the nearest
    /// folder above that is called `tasks`.
    pub fn find(&self, name: &str, folder: &Path) -> Option<Named> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let root = whole.ancestors().find(|above| above.file_name().is_some_and(|name| name == ROOT));
        [Some(whole.as_path()), root].into_iter().flatten().find_map(|folder| self.names(folder).get(name).cloned())
    }

    fn names(&self, folder: &Path) -> Rc<Names> {
        if let Some(names) = self.folders.borrow().get(folder) {
            return names.clone();
        }
        let mut files = Vec::new();
        yaml_files(folder, 0, &mut files);
        let names = Rc::new(names_of(&files));
        self.folders.borrow_mut().insert(folder.to_owned(), names.clone());
        names
    }
}

/// The YAML files in a folder and those below, by name. Links to folders are not followed: they may lead around in circles, or
/// anywhere.
fn yaml_files(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let is_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut paths: Vec<(PathBuf, bool)> = entries.flatten().map(|entry| (entry.path(), is_folder(&entry))).collect();
    paths.sort();
    for (path, is_folder) in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if yaml && files.len() < laser_guard::raised_size(MOST_FILES) {
            files.push(path);
        } else if !yaml && !hidden && depth < DEEPEST && is_folder {
            yaml_files(&path, depth + 1, files);
        }
    }
}

/// The names in some files; of two files of one name, the first. Files that cannot be read have none.
fn names_of(files: &[PathBuf]) -> Names {
    let mut names = Names::new();
    let mut tags: HashMap<String, Vec<String>> = HashMap::new();
    let mut naming = NamingKeys::default();
    for path in files {
        let Some(keys) = naming.of(path) else { continue };
        let text = |key: &str| keys.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(name) = text("group") {
            names.entry(name).or_insert_with(|| Named::Group(path.clone()));
        } else if let Some(name) = text("task") {
            let tagged = match keys.get("tag") {
                Some(Value::String(tag)) => vec![tag.clone()],
                Some(Value::Sequence(items)) => {
                    items.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
                }
                _ => Vec::new(),
            };
            if let Entry::Vacant(place) = names.entry(name.clone()) {
                tagged.into_iter().take(MOST_TAGS).for_each(|tag| tags.entry(tag).or_default().push(name.clone()));
                place.insert(Named::Task(path.clone()));
            }
        }
    }
    for (tag, mut tasks) in tags {
        tasks.sort();
        names.entry(tag).or_insert(Named::Tag(tasks));
    }
    names
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_to_folders_are_not_followed_and_those_to_files_are() {
        let scratch = tempfile::tempdir().unwrap();
        let (inside, elsewhere) = (scratch.path().join("group"), scratch.path().join("elsewhere"));
        fs::create_dir_all(inside.join("below")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        fs::write(inside.join("below/a.yaml"), "task: a").unwrap();
        fs::write(elsewhere.join("b.yaml"), "task: b").unwrap();
        fs::write(elsewhere.join("c.yaml"), "task: c").unwrap();
        for (target, name) in [(".", "around"), ("..", "above"), ("/", "all"), ("../elsewhere", "other")] {
            symlink(target, inside.join(name)).unwrap();
        }
        symlink("../elsewhere/b.yaml", inside.join("b.yaml")).unwrap();
        let mut files = Vec::new();
        yaml_files(&inside, 0, &mut files);
        assert_eq!(files, [inside.join("b.yaml"), inside.join("below/a.yaml")]);
        let names = names_of(&files);
        assert_eq!(names.get("b"), Some(&Named::Task(inside.join("b.yaml"))));
        assert_eq!(names.get("c"), None);
    }

    #[test]
    fn of_many_tags_the_first_are_looked_at() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a.yaml");
        let tags: String = (0..2 * MOST_TAGS).map(|i| format!("- t{i}\n")).collect();
        fs::write(&path, format!("task: a\ntag:\n{tags}")).unwrap();
        let names = names_of(&[path]);
        assert_eq!(names.get("t99"), Some(&Named::Tag(vec!["a".to_owned()])));
        assert_eq!(names.get("t100"), None);
    }
}
