//! Group files: many tasks as one (`group`, `task: [...]`, `aggregate_metric_list`).

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::catalogue::{Catalogue, Named};
use super::keys::{keys_and_tags, without_tags, wrong};
use crate::source::Source;
use crate::subtask::{AggregateMetric, TaskGroup};
use crate::{TaskError, YamlError};

/// Groups hold groups so deep, and no deeper, which also ends circles.
const DEEPEST: usize = 16;

/// A group has so many tasks at most.
const MOST_TASKS: usize = 10_000;

/// So many tasks and groups are gone to, and no more: groups may hold one another again and again.
const MOST_VISITS: usize = 12_000;

/// The files of a group's tasks, with all that each includes, have so many bytes together. Each task keeps its keys: a large file
/// that many include would be kept as often.
const MOST_BYTES: usize = 64 << 20;

/// The keys of a group itself; any other is one of its tasks'.
const OWN: [&str; 6] = ["group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"];

/// A task of a group: its keys with what the group says over them.
pub struct Member {
    pub name: String,
    pub keys: Mapping,
    /// The file that the keys are from.
    pub source: Source,
    /// The file's folder.
    pub folder: PathBuf,
}

/// A group file with all that it names.
pub struct Group {
    pub name: String,
    /// All tasks, those of inner groups among them, each once.
    pub members: Vec<Member>,
    /// This group, then the inner ones.
    pub groups: Vec<TaskGroup>,
    /// Where each member is, by its name.
    places: HashMap<String, usize>,
    visits: usize,
    /// Bytes of the files that were read for it, a file for each time.
    bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Aggregate {
    metric: String,
    filter_list: Option<OneOrMany<String>>,
    aggregation: Option<String>,
    weight_by_size: Option<bool>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_list(self) -> Vec<T> {
        match self {
            Self::One(item) => vec![item],
            Self::Many(items) => items,
        }
    }
}

/// Whether these are the keys of a group.
pub fn is_group(keys: &Mapping) -> bool {
    keys.contains_key("group") && !keys.contains_key("class")
}

impl Group {
    /// The group of `keys`, which stand in `source` in `folder`.
    pub fn new(keys: &Mapping, source: &Source, folder: &Path, catalogue: &Catalogue) -> Result<Self, TaskError> {
        let (places, visits, bytes) = (HashMap::new(), 0, 0);
        let mut group = Self { name: String::new(), members: Vec::new(), groups: Vec::new(), places, visits, bytes };
        let file = GroupFile { source, folder, catalogue };
        let name = text(keys, "group").ok_or_else(|| file.wrong("group", "...", "write its name"))?;
        group.add(&name, keys, &Mapping::new(), &file, 0)?;
        if group.members.is_empty() {
            return Err(file.wrong("task", "[]", "name the group's tasks"));
        }
        group.name = name;
        Ok(group)
    }

    /// Adds a group with what it names, and gives the names of its tasks.
    fn add(
        &mut self,
        name: &str,
        keys: &Mapping,
        overrides: &Mapping,
        file: &GroupFile,
        depth: usize,
    ) -> Result<Vec<String>, TaskError> {
        if depth > DEEPEST {
            return Err(file.wrong("group", name, "groups are in one another too deep; take one out"));
        }
        let aggregated: Mapping =
            keys.iter().filter(|(key, _)| is_own(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
        without_tags(&aggregated, file.source)?;
        let own: Mapping = keys.iter().filter(|(key, _)| !is_own(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let overrides = over(&own, overrides);
        let number = self.groups.len();
        let aggregate = aggregates(keys, file.source)?;
        self.groups.push(TaskGroup { name: name.to_owned(), subtasks: Vec::new(), aggregate });
        let (mut tasks, mut known) = (Vec::new(), HashSet::new());
        let items = match keys.get("task") {
            Some(Value::Sequence(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        for item in &items {
            for task in self.item(name, item, &overrides, file, depth)? {
                if known.insert(task.clone()) {
                    tasks.push(task);
                }
            }
        }
        self.groups[number].subtasks.clone_from(&tasks);
        Ok(tasks)
    }

    /// Adds one item of `task: [...]`.
    fn item(
        &mut self,
        group: &str,
        item: &Value,
        overrides: &Mapping,
        file: &GroupFile,
        depth: usize,
    ) -> Result<Vec<String>, TaskError> {
        self.visits += 1;
        let most = laser_guard::raised_size(MOST_VISITS);
        if self.visits > most {
            let (what, how) = ("its groups name more tasks, again and again, than", laser_guard::how_to_raise());
            return Err(file.wrong("group", group, &format!("{what} {most}; take some out ({how})")));
        }
        let (name, overrides) = match item {
            Value::String(name) => (name.clone(), overrides.clone()),
            Value::Mapping(keys) => {
                if let Some(inner) = text(keys, "group") {
                    let others: Mapping =
                        keys.iter().filter(|(key, _)| *key != "group").map(|(k, v)| (k.clone(), v.clone())).collect();
                    return match file.find(&inner) {
                        Some(named) => self.named(&inner, named, &over(overrides, &others), file, depth),
                        None => self.add(&format!("{group}::{inner}"), keys, overrides, file, depth + 1),
                    };
                }
                let Some(name) = text(keys, "task") else {
                    return Err(file.wrong("task", "{...}", "give each item a `task` or a `group`"));
                };
                (name, over(overrides, keys))
            }
            _ => return Err(file.wrong("task", "[...]", "write names of tasks, paths, or keys with values")),
        };
        if let Some(named) = file.find(&name) {
            return self.named(&name, named, &overrides, file, depth);
        }
        // A task that stands in the group's file, keys and all.
        if overrides.contains_key("doc_to_text") || overrides.contains_key("doc_to_target") {
            let mut keys = overrides;
            let name = format!("{group}::{name}");
            keys.insert("task".into(), name.clone().into());
            return self.member(name, keys, file.source, file.folder, file);
        }
        let help = "no YAML file in the group's folder or below says so, nor in a folder `tasks` above; give a path";
        Err(file.wrong("task", &name, help))
    }

    /// Adds what a name stands for.
    fn named(
        &mut self,
        name: &str,
        named: Named,
        overrides: &Mapping,
        file: &GroupFile,
        depth: usize,
    ) -> Result<Vec<String>, TaskError> {
        match named {
            Named::Tag(names) => {
                let mut tasks = Vec::new();
                self.visits += names.len();
                for name in names {
                    if let Some(named @ Named::Task(_)) = file.find(&name) {
                        let mut overrides = overrides.clone();
                        overrides.remove("task");
                        tasks.extend(self.named(&name, named, &overrides, file, depth + 1)?);
                    }
                }
                Ok(tasks)
            }
            Named::Group(path) | Named::Task(path) => {
                let source = Source::read(&path)?;
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                let read_bytes = Cell::new(source.bytes.len());
                let read = |file: &Path| -> Result<Source, TaskError> {
                    let included = Source::read(&folder.join(file))?;
                    read_bytes.set(read_bytes.get().saturating_add(included.bytes.len()));
                    Ok(included)
                };
                let keys = keys_and_tags(&source, &read, &|_| Ok(()))?;
                self.bytes = self.bytes.saturating_add(read_bytes.get());
                let most = laser_guard::raised_size(MOST_BYTES);
                if self.bytes > most {
                    let (what, how) =
                        ("its files, with what each includes, have more bytes than", laser_guard::how_to_raise());
                    let help = format!("{what} {most}; put what is large into a data file, or split the group ({how})");
                    return Err(file.wrong("task", name, &help));
                }
                if is_group(&keys) {
                    let inner = GroupFile { source: &source, folder: &folder, catalogue: file.catalogue };
                    let name = text(&keys, "group").unwrap_or_else(|| name.to_owned());
                    return self.add(&name, &keys, overrides, &inner, depth + 1);
                }
                let own = text(&keys, "task").unwrap_or_else(|| name.to_owned());
                let mut keys = over(&keys, overrides);
                keys.insert("task".into(), own.clone().into());
                self.member(own, keys, &source, &folder, file)
            }
        }
    }

    fn member(
        &mut self,
        name: String,
        mut keys: Mapping,
        source: &Source,
        folder: &Path,
        file: &GroupFile,
    ) -> Result<Vec<String>, TaskError> {
        keys.remove("tag");
        keys.remove("group");
        keys.remove("include");
        keys.retain(|_, value| !value.is_null());
        without_tags(&keys, source)?;
        let most = laser_guard::raised_size(MOST_TASKS);
        if self.members.len() >= most {
            let how = laser_guard::how_to_raise();
            return Err(file.wrong("task", &name, &format!("the group has more than {most} tasks; split it ({how})")));
        }
        let source = Source { name: source.name.clone(), bytes: Vec::new() };
        let member = Member { name: name.clone(), keys, source, folder: folder.to_owned() };
        // As in the harness: a name that comes twice is one task, read as it is written last.
        match self.places.get(&name) {
            Some(&known) => self.members[known] = member,
            None => {
                self.places.insert(name.clone(), self.members.len());
                self.members.push(member);
            }
        }
        Ok(vec![name])
    }
}

/// Where a group stands.
struct GroupFile<'a> {
    source: &'a Source,
    folder: &'a Path,
    catalogue: &'a Catalogue,
}

impl GroupFile<'_> {
    /// What a name, or a path relative to the file, stands for.
    fn find(&self, name: &str) -> Option<Named> {
        let path = self.folder.join(name);
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        match yaml && path.is_file() {
            true => Some(Named::Task(path)),
            false => self.catalogue.find(name, self.folder),
        }
    }

    fn wrong(&self, key: &str, value: &str, help: &str) -> TaskError {
        let problem = YamlError::Unsupported { key: key.to_owned(), value: value.to_owned(), help: help.to_owned() };
        TaskError::Yaml { file: self.source.name.clone(), line: None, problem }
    }
}

/// `first` with the keys of `second` over it.
fn over(first: &Mapping, second: &Mapping) -> Mapping {
    let mut all = first.clone();
    all.extend(second.iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}

fn is_own(key: &Value) -> bool {
    key.as_str().is_some_and(|key| OWN.contains(&key))
}

fn text(keys: &Mapping, key: &str) -> Option<String> {
    keys.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// What `aggregate_metric_list` says.
fn aggregates(keys: &Mapping, source: &Source) -> Result<Vec<AggregateMetric>, TaskError> {
    let Some(value) = keys.get("aggregate_metric_list").filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let items: OneOrMany<Value> = serde_yaml_ng::from_value(value.clone()).map_err(|error| wrong(source, &error))?;
    let item = |value: Value| {
        let item: Aggregate = serde_yaml_ng::from_value(value).map_err(|error| wrong(source, &error))?;
        match item.aggregation.as_deref() {
            None | Some("mean") => {}
            Some(other) => {
                let (key, help) = ("aggregate_metric_list.aggregation".to_owned(), "write `mean`".to_owned());
                let problem = YamlError::Unsupported { key, value: other.to_owned(), help };
                return Err(TaskError::Yaml { file: source.name.clone(), line: None, problem });
            }
        }
        Ok(AggregateMetric {
            metric: item.metric,
            filters: item.filter_list.map(OneOrMany::into_list),
            weight_by_size: item.weight_by_size.unwrap_or(true),
        })
    };
    items.into_list().into_iter().map(item).collect()
}
