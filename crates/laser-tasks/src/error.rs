//! Everything that can be wrong with a task. Every message is one line: where: what: what to do.

use crate::RowLocation;
use laser_example::{ExampleError, plain, quoted};
use laser_guard::did_you_mean;

/// A task that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Neither a built-in name nor a task file's name.
    #[error(
        "{}: no such task: {nearest}give a .yaml, .jsonl, .json, .csv, .tsv or .parquet file, or a built-in task ({builtins})",
        plain(spec)
    )]
    Unknown {
        /// What was asked for.
        spec: String,
        /// A question whether another was meant, or nothing.
        nearest: String,
        /// The built-in names, with commas.
        builtins: String,
    },
    /// `--data` with a file that is data itself.
    #[error("{}: this is the data already: give a built-in task or a YAML file with --data", plain(file))]
    DataTwice {
        /// The file.
        file: String,
    },
    /// `--data` with a group of tasks.
    #[error(
        "{}: a group has the data of each of its tasks: leave out --data {}, or give one of the tasks",
        plain(file),
        plain(data)
    )]
    DataOfGroup {
        /// The group's file.
        file: String,
        /// The data.
        data: String,
    },
    /// A data set of the hub did not come.
    #[error("{}: the data set {}: {}: or give it as a file with --data", plain(task), quoted(dataset), plain(why))]
    Fetch {
        /// The task.
        task: String,
        /// The data set.
        dataset: String,
        /// Why.
        why: String,
    },
    /// No answer is short enough.
    #[error("{}: no example is left: every answer has more than {longest} of the model's tokens", plain(task))]
    AnswersTooLong {
        /// The task.
        task: String,
        /// The most tokens that an answer may have.
        longest: usize,
    },
    /// A file could not be read.
    #[error("{}: {source}: check the path and its permissions", plain(file))]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// One row of a data file is wrong.
    #[error("{}: {problem}", spot(file, Some(place)))]
    Row {
        /// The data file.
        file: String,
        /// Where the row stands.
        place: RowLocation,
        /// What is wrong.
        problem: RowError,
    },
    /// A data file is not what the ending of its name says.
    #[error("{}: {problem}", spot(file, place.as_ref()))]
    Data {
        /// The data file.
        file: String,
        /// Where in it, as far as that is known.
        place: Option<RowLocation>,
        /// What is wrong.
        problem: DataError,
    },
    /// A YAML file is wrong.
    #[error("{}: {problem}", match line {
        Some(line) => format!("{}:{line}", plain(file)),
        None => plain(file),
    })]
    Yaml {
        /// The YAML file.
        file: String,
        /// Its line, from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        problem: YamlError,
    },
    /// No example at all.
    #[error("{}: no examples: write at least one row, a JSON object on one line", plain(file))]
    Empty {
        /// The file or task.
        file: String,
    },
    /// Two examples given to [`crate::Task::new`] share an id.
    #[error("{}: the id {} is there twice: give every example its own", plain(task), quoted(id))]
    DuplicateId {
        /// The task.
        task: String,
        /// The id.
        id: String,
    },
    /// A limit so small that no whole group fits.
    #[error("{}: a limit of {limit} holds no whole group of examples: use at least {smallest}", plain(task))]
    Limit {
        /// The task.
        task: String,
        /// The limit asked for, in examples.
        limit: usize,
        /// The smallest that would hold one, in examples.
        smallest: usize,
    },
    /// Too few examples for a validation and a test part.
    #[error(
        "{}: cannot be split into validation and test: it has {found} of the at least 2 {unit} needed: add some, or raise --limit",
        plain(task)
    )]
    TooSmallToSplit {
        /// The task.
        task: String,
        /// What is counted: examples or groups of examples.
        unit: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A validation fraction outside (0, 1).
    #[error("a validation fraction of {0} leaves a part empty: use one between 0 and 1, such as 0.2")]
    Fraction(f64),
}

/// What is wrong with a data file before its rows mean anything.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DataError {
    /// Not UTF-8.
    #[error("invalid UTF-8: save the file as UTF-8")]
    Utf8,
    /// A file name without an ending.
    #[error("its name does not say what it is: let it end in .jsonl, .json, .csv, .tsv or .parquet")]
    NoEnding,
    /// No record at all.
    #[error("no records: write at least one")]
    NoRecords,
    /// Not JSON, or an object with a key twice.
    #[error("invalid JSON at column {column}: {what}: correct it")]
    Json {
        /// The column, from 1, in bytes.
        column: usize,
        /// What the JSON parser says.
        what: String,
    },
    /// JSON that does not hold records where they are looked for.
    #[error("{found}: write a list of objects, or an object with one such list under data, examples or rows")]
    Shape {
        /// What is there.
        found: String,
    },
    /// Values that the hub's viewer shows only the beginning of.
    #[error("the hub has cut {names} short: fetch the data set's Parquet file")]
    Cut {
        /// The names of the values, with commas.
        names: String,
    },
    /// A CSV value that is still in quotes where the file ends.
    #[error("a quote is opened and not closed: close it, and write a quote inside of quotes twice")]
    OpenQuote,
    /// A CSV record that does not fit the header.
    #[error("{found} values for {expected} columns: write one for each, in quotes where it contains the separator")]
    Length {
        /// How many values there are.
        found: usize,
        /// How many columns the header names.
        expected: usize,
    },
    /// A CSV column without a name.
    #[error("column {column} has no name: name every column on the first line")]
    NoName {
        /// The column, from 1.
        column: usize,
    },
    /// Two columns of one name.
    #[error("the column {} is there twice: give every column its own name", quoted(name))]
    SameName {
        /// The name.
        name: String,
    },
    /// Not Parquet, or a part of it that is not read.
    #[error("cannot be read as Parquet: {what}: write or fetch the file again")]
    Parquet {
        /// What the Parquet reader says.
        what: String,
    },
}

/// What is wrong with one row of a data file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RowError {
    /// Not UTF-8.
    #[error("invalid UTF-8: save the file as UTF-8")]
    Utf8,
    /// It has too much text.
    #[error("a row of more than {most} bytes: cut its texts, or leave it out ({how})")]
    Large {
        /// How many it may have.
        most: usize,
        /// How it may have more.
        how: String,
    },
    /// Not JSON.
    #[error("invalid JSON at column {column}: {what}: write one JSON object on each line")]
    Json {
        /// The column, from 1, in bytes.
        column: usize,
        /// What the JSON parser says.
        what: String,
    },
    /// JSON, but not an object with each key once.
    #[error("{what}: write one JSON object on each line, each key once")]
    NotAnObject {
        /// What the JSON parser says.
        what: String,
    },
    /// A key that means nothing here.
    #[error(
        "unknown key {}: {}use prompt, answer, answers, choices, id or group",
        quoted(key),
        did_you_mean(key, ["prompt", "answer", "answers", "choices", "id", "group"])
    )]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A key that is needed.
    #[error("no {}: add it to the row, which has {has}", quoted(key))]
    MissingKey {
        /// The key.
        key: String,
        /// The keys that are there, in words.
        has: String,
    },
    /// Two keys that exclude each other.
    #[error("`{first}` and `{second}` together: keep one of them")]
    Exclusive {
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A value of the wrong type.
    #[error("{} is {found}: write {expected}", quoted(key))]
    WrongType {
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// An example that cannot be.
    #[error(transparent)]
    Example(#[from] ExampleError),
    /// A template of a list that renders to something else.
    #[error("`{key}` is not a list: {}: write one, such as {{{{[a, b]}}}}, or a field that is one", quoted(text))]
    NoList {
        /// The key.
        key: &'static str,
        /// What it renders to.
        text: String,
    },
    /// A row without the choices that `multi_choice_regex` looks for.
    #[error("the filter multi_choice_regex looks for the row's `choices`: add a list of texts under that name")]
    NoChoicesToFind,
    /// A prompt that is a number where there is nothing to choose, or with `gen_prefix`.
    #[error("`doc_to_text` is a number, which is a choice's index: that needs multiple_choice without `gen_prefix`")]
    ChoiceAsQuestion,
    /// An id that an earlier row has.
    #[error("the id {} is already {}: give every row its own", quoted(id), match first {
        RowLocation::Line(line) => format!("on line {line}"),
        RowLocation::Record(record) => format!("in record {record}"),
    })]
    DuplicateId {
        /// The id.
        id: String,
        /// The earlier row.
        first: RowLocation,
    },
    /// Lists of `expand` that are not equally long.
    #[error("expand: `{first}` has {length} items and `{name}` has {found}: make the lists equally long")]
    Uneven {
        /// One list.
        first: String,
        /// Its length.
        length: usize,
        /// Another.
        name: String,
        /// Its length.
        found: usize,
    },
    /// A template names what the row does not have.
    #[error("{key}: the template uses {names}, and the row has {has}: add it or test it with `is defined`")]
    Undefined {
        /// The YAML key of the template.
        key: &'static str,
        /// The names, with commas.
        names: String,
        /// What the row has, in words.
        has: String,
    },
    /// A template that cannot be rendered.
    #[error("{key}: {what}: correct the template")]
    Template {
        /// The YAML key of the template.
        key: &'static str,
        /// What the template engine says.
        what: String,
    },
}

impl RowError {
    /// A row of more than `most` bytes.
    pub(crate) fn large(most: usize) -> Self {
        Self::Large { most, how: laser_guard::how_to_raise() }
    }
}

/// What is wrong with a YAML task file itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum YamlError {
    /// Not UTF-8.
    #[error("invalid UTF-8: save the file as UTF-8")]
    Utf8,
    /// Not YAML, an unknown key, or a value of the wrong type.
    #[error("{what}: correct it or take it out")]
    Parse {
        /// What the YAML parser says; it names the key.
        what: String,
    },
    /// A tag such as `!function`.
    #[error("`{key}`: {}", if tag == "!function" {
        "functions of Python in task files need the Python package: see docs/tasks.md, or write a Jinja template".to_owned()
    } else {
        format!("`{tag}` is not supported: take the tag out")
    })]
    Tag {
        /// The key whose value has the tag.
        key: String,
        /// The tag.
        tag: String,
    },
    /// A key that is needed.
    #[error("no `{key}`: {help}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A known key with a value that is not supported.
    #[error("`{key}: {}` is not supported: {help}", plain(value))]
    Unsupported {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What to do.
        help: String,
    },
    /// Nothing is left to evaluate.
    #[error("none of the {rows} rows is left: check what `where` and `expand` want of the data")]
    NoRows {
        /// How many there were.
        rows: usize,
    },
    /// A template that does not compile.
    #[error("`{key}`: {what}: correct the template")]
    Template {
        /// The key.
        key: &'static str,
        /// What the template engine says.
        what: String,
    },
}

/// A place as messages show it: `FILE:LINE` or `FILE: record NUMBER`.
fn spot(file: &str, place: Option<&RowLocation>) -> String {
    let file = plain(file);
    match place {
        Some(RowLocation::Line(line)) => format!("{file}:{line}"),
        Some(RowLocation::Record(record)) => format!("{file}: record {record}"),
        None => file,
    }
}

/// Names between backticks, in words: at most ten.
pub(crate) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MOST: usize = 10;
    let mut names: Vec<String> = names.into_iter().map(quoted).collect();
    names.sort();
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    match (names.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}
