//! The Parquet files that the hub makes of a data set: `CONFIG/SPLIT/0000.parquet` and so on, under
//! a revision of their own.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    failure::{Failure, RepositoryKind},
    hub_id::is_plain,
    repository::RepositoryType,
    snapshot::Snapshot,
};

pub(crate) const KIND: RepositoryKind = RepositoryKind {
    noun: "data set",
    repo: RepositoryType::DataSet,
    missing: "the hub has no such data set, or no Parquet files of it: check the spelling, or give a data file",
};
pub(crate) const REVISION: &str = "refs/convert/parquet";

/// The hub's own choice where a data set has one way to be read.
const DEFAULT: &str = "default";
/// Of a split that is too large, the hub converts the beginning and says so in the folder's name.
const PARTIAL: &str = "partial-";

/// One split of a data set of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    /// `OWNER/NAME`, or `NAME` alone.
    pub id: String,
    /// The configuration (the hub also says subset). `None` is `default`, or the only one that
    /// there is.
    pub config: Option<String>,
    /// The split, such as `train`, `validation` or `test`.
    pub split: String,
}

/// The names of the files under each configuration and split, by their number.
type Tree<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeMap<usize, &'a str>>>;

/// The files of the split, in their order.
pub(crate) fn gather(snapshot: &mut Snapshot, wanted: &DatasetFiles) -> Result<Vec<PathBuf>, Failure> {
    // The first comes last: a cache that has it has all of them, whatever interrupted the program.
    let files = names(snapshot, wanted)?;
    let paths: Result<Vec<PathBuf>, Failure> = files.iter().rev().map(|file| snapshot.get(file)).collect();
    paths.map(|mut paths| {
        paths.reverse();
        paths
    })
}

/// The names of the files of the split, in their order.
fn names(snapshot: &Snapshot, wanted: &DatasetFiles) -> Result<Vec<String>, Failure> {
    const CHOOSE: &str = "choose one of these";
    let tree = tree(snapshot);
    let config = match &wanted.config {
        Some(config) => config,
        None if tree.len() == 1 => *tree.keys().next().unwrap_or(&DEFAULT),
        None => DEFAULT,
    };
    let Some(splits) = tree.get(config) else {
        let what = match tree.is_empty() {
            true => "no Parquet files".to_owned(),
            false => format!("no configuration {}, only {}", quoted([config]), quoted(tree.keys().copied())),
        };
        return Err(snapshot.flawed(&what, if tree.is_empty() { "give a data file" } else { CHOOSE }));
    };
    let split = wanted.split.as_str();
    let Some(files) = splits.get(split) else {
        let part = format!("{PARTIAL}{split}");
        if splits.contains_key(part.as_str()) {
            let what = format!("only the beginning of the split {} as Parquet", quoted([split]));
            let advice = format!("write {} to make do with that, or give a data file", quoted([part.as_str()]));
            return Err(snapshot.flawed(&what, &advice));
        }
        let known = quoted(splits.keys().copied());
        let what = format!("no split {} in {}, only {known}", quoted([split]), quoted([config]));
        return Err(snapshot.flawed(&what, CHOOSE));
    };
    if let Some((missing, _)) = (0..).zip(files.keys()).find(|(expected, found)| expected != *found) {
        let what = format!("no {config}/{split}/{missing:04}.parquet but later parts");
        return Err(snapshot.flawed(&what, "give a data file"));
    }
    Ok(files.values().map(|&file| file.to_owned()).collect())
}

fn tree<'a>(snapshot: &'a Snapshot) -> Tree<'a> {
    let mut tree = Tree::new();
    for file in snapshot.files() {
        let parts: Vec<&str> = file.split('/').collect();
        if let [config, split, name] = parts[..]
            && is_plain(config)
            && is_plain(split)
            && let Some(digits) = name.strip_suffix(".parquet")
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = digits.parse()
        {
            tree.entry(config).or_default().entry(split).or_default().insert(number, file.as_str());
        }
    }
    tree
}

/// Names between backticks, with commas.
fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
