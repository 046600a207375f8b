//! Where a task's rows come from: a split of some data.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::docs::Doc;
use super::task_config::{Config, DataFiles, unsupported};
use crate::bad_rows::BadRows;
use crate::data::{self, Row, RowLocation};
use crate::source::Source;
use crate::{HubSplit, OpenOptions, TaskError, YamlError};

/// Values of `dataset_path` that are kinds of files; any other is a data set of the hub.
const FILES: [&str; 3] = ["json", "csv", "parquet"];

/// Opens the splits that a task names.
pub struct Splits<'a> {
    pub config: &'a Config,
    /// Of the task file, for messages.
    pub name: &'a str,
    /// Reads a file by its path in the YAML.
    pub read: &'a dyn Fn(&Path) -> Result<Source, TaskError>,
    pub options: &'a OpenOptions<'a>,
    /// What becomes of rows that cannot be read.
    pub bad: &'a BadRows,
}

impl Splits<'_> {
    /// The rows of the split that is evaluated.
    pub fn evaluated(&self) -> Result<Vec<Doc>, TaskError> {
        let config = self.config;
        let named = [
            ("test_split", &config.test_split),
            ("validation_split", &config.validation_split),
            ("training_split", &config.training_split),
        ];
        // A split that is named must be there, even where another goes before it.
        if let (Some(files), None) = (self.files_by_split(), self.options.data) {
            let wrong = named.iter().filter_map(|(key, split)| Some((key, split.as_deref()?)));
            for (key, split) in wrong {
                let missing = slices(key, split)
                    .map_err(|p| self.problem(p))?
                    .into_iter()
                    .any(|slice| !files.contains(&slice.name));
                if missing {
                    return Err(self.problem(unsupported(key, split, &known(&files))));
                }
            }
        }
        let chosen = named.into_iter().find_map(|(key, split)| Some((key, split.as_deref()?)));
        match chosen {
            Some((key, split)) => self.rows(key, split),
            None => self.only_split(),
        }
    }

    /// Refuses what no data could mend, without looking at any.
    pub fn check(&self) -> Result<(), TaskError> {
        let config = self.config;
        let named = [
            ("test_split", &config.test_split),
            ("validation_split", &config.validation_split),
            ("training_split", &config.training_split),
            ("fewshot_split", &config.fewshot_split),
        ];
        for (key, split) in named {
            split.as_deref().map(|split| slices(key, split)).transpose().map_err(|problem| self.problem(problem))?;
        }
        self.files().map(|_| ()).map_err(|problem| self.problem(problem))
    }

    /// The rows of the split that solved examples come from, unless it is the evaluated one: `fewshot_split`, else training,
    /// else validation. With data of the user's own it always is.
    pub fn solved(&self) -> Result<Option<Vec<Doc>>, TaskError> {
        let config = self.config;
        let evaluated =
            config.test_split.as_ref().or(config.validation_split.as_ref()).or(config.training_split.as_ref());
        let fewshot = config.fewshot_config.as_ref();
        let own = fewshot.map_or(&None, |fewshot| &fewshot.split);
        if let (None, None, Some(samples)) = (own, &config.fewshot_split, fewshot.and_then(|it| it.samples.as_ref())) {
            let doc = |(index, fields): (usize, &Map<String, Json>)| {
                let row = Row { place: RowLocation::Record(index + 1), index, fields: fields.clone() };
                let id = format!("sample-{index}");
                Doc { file: format!("{}: fewshot_config.samples", self.name), group: id.clone(), id, row }
            };
            return Ok(Some(samples.iter().enumerate().map(doc).collect()));
        }
        let named = [
            ("fewshot_config.split", own),
            ("fewshot_split", &config.fewshot_split),
            ("training_split", &config.training_split),
            ("validation_split", &config.validation_split),
        ];
        let chosen = named.into_iter().find_map(|(key, split)| Some((key, split.as_ref()?)));
        match chosen {
            Some((key, split)) if Some(split) != evaluated && self.options.data.is_none() => {
                self.rows(key, split).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The rows of a split, such as `test`, `train[:100]` or `paper_dev+paper_test`.
    fn rows(&self, key: &'static str, split: &str) -> Result<Vec<Doc>, TaskError> {
        if let Some(path) = self.options.data {
            return self.own_docs(&Source::read(path)?);
        }
        let slices = slices(key, split).map_err(|problem| self.problem(problem))?;
        let mut files = Vec::new();
        for slice in &slices {
            files.push((slice, self.files_of(key, &slice.name)?));
        }
        let several = files.iter().map(|(_, files)| files.len()).sum::<usize>() > 1;
        let mut docs = Vec::new();
        for (slice, files) in files {
            let mut left = slice.take;
            // One file at a time, and none more than is needed: a split may be large.
            for (number, file) in files.into_iter().enumerate() {
                if left == 0 {
                    break;
                }
                let source = match file {
                    File::Named(path) => (self.read)(Path::new(&path))?,
                    File::Fetched(path) => Source::read(&path)?,
                };
                for row in data::rows(&source, self.bad)?.into_iter().take(left) {
                    left -= 1;
                    let id = match several {
                        true => format!("{}-{number}-{}", slice.name, row.default_id()),
                        false => row.default_id(),
                    };
                    docs.push(doc(&source, id, row));
                }
            }
        }
        Ok(docs)
    }

    /// The rows where no split is named: of the only file there is, or of `test`.
    fn only_split(&self) -> Result<Vec<Doc>, TaskError> {
        if let Some(path) = self.options.data {
            return self.own_docs(&Source::read(path)?);
        }
        match self.files().map_err(|problem| self.problem(problem))? {
            Some(DataFiles::One(path)) => self.docs(&(self.read)(Path::new(path))?),
            Some(DataFiles::Splits(files)) if files.len() == 1 => {
                let path = files.values().next().map(String::as_str).unwrap_or_default();
                self.docs(&(self.read)(Path::new(path))?)
            }
            Some(DataFiles::Splits(files)) if !files.contains_key("test") => {
                let names = files.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let key = "dataset_kwargs.data_files";
                Err(self.problem(unsupported(key, &names, "choose one with `test_split`")))
            }
            _ => self.rows("test_split", "test"),
        }
    }

    /// The files of one split.
    fn files_of(&self, key: &'static str, split: &str) -> Result<Vec<File>, TaskError> {
        let config = self.config;
        match self.files().map_err(|problem| self.problem(problem))? {
            Some(DataFiles::One(path)) => Ok(vec![File::Named(path.clone())]),
            Some(DataFiles::Splits(files)) => match files.get(split) {
                Some(path) => Ok(vec![File::Named(path.clone())]),
                None => Err(self.problem(unsupported(key, split, &known(&files.keys().cloned().collect::<Vec<_>>())))),
            },
            None => {
                let dataset = config.dataset_path.clone().unwrap_or_default();
                let split = HubSplit { dataset, config: config.dataset_name.clone(), split: split.to_owned() };
                let failed = |why| TaskError::Fetch { task: self.name.to_owned(), dataset: split.dataset.clone(), why };
                let paths = (self.options.fetch)(&split).map_err(failed)?;
                Ok(paths.into_iter().map(File::Fetched).collect())
            }
        }
    }

    /// The files that are named; none where the data is on the hub.
    fn files(&self) -> Result<Option<&DataFiles>, YamlError> {
        let files = self.config.dataset_kwargs.as_ref().and_then(|kwargs| kwargs.data_files.as_ref());
        match (files, self.config.dataset_path.as_deref()) {
            (Some(files), path) if path.is_none_or(|path| FILES.contains(&path)) => Ok(Some(files)),
            (None, Some(path)) if !FILES.contains(&path) => Ok(None),
            (Some(_), Some(path)) => {
                let help = "with dataset_kwargs.data_files it is json, csv or parquet";
                Err(unsupported("dataset_path", path, help))
            }
            _ => Err(YamlError::Missing {
                key: "dataset_kwargs.data_files",
                help: "name the file that holds the examples (JSONL, JSON, CSV, TSV or Parquet)",
            }),
        }
    }

    /// The splits of the files, where they have names.
    fn files_by_split(&self) -> Option<Vec<String>> {
        match self.files() {
            Ok(Some(DataFiles::Splits(files))) => Some(files.keys().cloned().collect()),
            _ => None,
        }
    }

    /// Whether splits of different names are the same file, so that a question stands among its
    /// solved examples: data of the user's own, and one file that has more than the `train` of the
    /// harness.
    pub fn are_one_file(&self) -> bool {
        let config = self.config;
        let one = matches!(self.files(), Ok(Some(DataFiles::One(_))));
        let named = [&config.test_split, &config.validation_split, &config.training_split, &config.fewshot_split];
        let is_other =
            |split: &&String| slices("", split).is_ok_and(|slices| slices.iter().any(|slice| slice.name != "train"));
        self.options.data.is_some() || (one && named.into_iter().flatten().any(|split| is_other(&split)))
    }

    /// The rows of a file of the user's own, which may have the form in which a benchmark is
    /// published.
    fn own_docs(&self, source: &Source) -> Result<Vec<Doc>, TaskError> {
        let mut docs = self.docs(source)?;
        docs.iter_mut().for_each(|doc| data::published::complete(&mut doc.row.fields));
        Ok(docs)
    }

    /// All rows of one file.
    fn docs(&self, source: &Source) -> Result<Vec<Doc>, TaskError> {
        let rows = data::rows(source, self.bad)?.into_iter();
        Ok(rows.map(|row| doc(source, row.default_id(), row)).collect())
    }

    fn problem(&self, problem: YamlError) -> TaskError {
        TaskError::Yaml { file: self.name.to_owned(), line: None, problem }
    }
}

fn known(names: &[String]) -> String {
    format!("use one of data_files: {}", names.join(", "))
}

/// Whether a task names a data set of the hub and no file.
pub fn is_on_hub(config: &Config) -> bool {
    let files = config.dataset_kwargs.as_ref().and_then(|kwargs| kwargs.data_files.as_ref());
    files.is_none() && config.dataset_path.is_some()
}

/// A file that is still to be read.
enum File {
    /// By its path in the YAML.
    Named(String),
    /// From the hub.
    Fetched(PathBuf),
}

/// A named slice of a split expression, and how many of its rows are taken.
struct SplitSlice {
    name: String,
    take: usize,
}

/// `a+b[:10]`, as the datasets library writes it.
fn slices(key: &str, split: &str) -> Result<Vec<SplitSlice>, YamlError> {
    let slice = |text: &str| {
        let (name, take) = match text.trim().split_once('[') {
            None => (text.trim(), Some(usize::MAX)),
            Some((name, slice)) => {
                (name, slice.strip_prefix(':').and_then(|slice| slice.strip_suffix(']')?.parse().ok()))
            }
        };
        take.filter(|_| !name.is_empty()).map(|take| SplitSlice { name: name.to_owned(), take })
    };
    let help = "write the name of a split, several with +, the first rows of one as in train[:100]";
    split.split('+').map(slice).collect::<Option<_>>().ok_or_else(|| unsupported(key, split, help))
}

fn doc(source: &Source, id: String, row: Row) -> Doc {
    Doc { file: source.name.clone(), group: id.clone(), id, row }
}
