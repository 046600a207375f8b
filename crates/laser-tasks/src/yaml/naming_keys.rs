//! The keys that name tasks and groups, of many files that may include the same ones.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_yaml_ng::{Mapping, Value};

use super::keys::{MOST_INCLUDES, included, parsed};
use crate::source::Source;

/// The keys that say what a file's name is and what it belongs to.
const NAMING: [&str; 3] = ["group", "task", "tag"];

/// What files say of their names, each being parsed once however many others include it.
#[derive(Default)]
pub struct NamingKeys {
    files: HashMap<PathBuf, Option<Own>>,
}

/// What one file says itself.
#[derive(Clone)]
struct Own {
    keys: Mapping,
    includes: Vec<String>,
}

impl NamingKeys {
    /// Those of a file over those of the files that it includes; a key that is null is none. None where one of the files cannot be
    /// read, or includes too many.
    pub fn of(&mut self, path: &Path) -> Option<Mapping> {
        let mut keys = self.merged(path, &mut 0)?;
        keys.retain(|_, value| !value.is_null());
        Some(keys)
    }

    fn merged(&mut self, path: &Path, count: &mut usize) -> Option<Mapping> {
        let own = self.files.entry(path.to_owned()).or_insert_with(|| Own::read(path)).clone()?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut all = Mapping::new();
        for path in own.includes {
            *count += 1;
            if *count > MOST_INCLUDES {
                return None;
            }
            all.extend(self.merged(&folder.join(path), count)?);
        }
        all.extend(own.keys);
        Some(all)
    }
}

impl Own {
    fn read(path: &Path) -> Option<Self> {
        let source = Source::read(path).ok()?;
        let own = parsed(&source).ok()?;
        let includes = included(&own, &source).ok()?;
        let naming = |(key, value): (Value, Value)| {
            let name = key.as_str().filter(|key| NAMING.contains(key))?;
            // The list of a group's tasks may be long, and names nothing.
            let is_short = name == "tag" || value.is_string() || value.is_null();
            let value = if is_short { value } else { Value::Bool(true) };
            Some((key, value))
        };
        Some(Self { keys: own.into_iter().filter_map(naming).collect(), includes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_many_include_is_parsed_once() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        fs::write(path("common"), "tag: shared\ngroup: g\ntask: [a, b]\ndescription: long").unwrap();
        fs::write(path("a.yaml"), "include: common\ntask: a\ngroup: null").unwrap();
        fs::write(path("b.yaml"), "include: [common]\ntask: b\ngroup: null").unwrap();
        let mut naming = NamingKeys::default();
        let mut of = |name: &str| {
            let keys = naming.of(&path(name))?;
            let text = |key: &str| keys.get(key).and_then(Value::as_str).map(str::to_owned);
            Some([text("group"), text("task"), text("tag")])
        };
        let task = |name: &str| Some([None, Some(name.to_owned()), Some("shared".to_owned())]);
        assert_eq!(of("a.yaml"), task("a"));
        // It is not read again.
        fs::remove_file(path("common")).unwrap();
        assert_eq!(of("b.yaml"), task("b"));
        assert_eq!(of("common"), Some([Some("g".to_owned()), None, Some("shared".to_owned())]));
        // A file that includes itself, and one that is not there.
        fs::write(path("round.yaml"), "include: round.yaml\ntask: r").unwrap();
        assert_eq!((of("round.yaml"), of("nowhere.yaml")), (None, None));
    }
}
