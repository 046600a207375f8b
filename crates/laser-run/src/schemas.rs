//! JSON Schemas (2020-12) of the files of a RUN folder, derived from the types that are written there.

use crate::bf16_check::Bf16Check;
use crate::cost::Cost;
use crate::description::RunDescription;
use crate::entry::Entry;
use crate::examples_file::SplitExample;
use crate::predicted_change::PredictedChange;
use crate::run_file::RunFile;
use crate::search_trace::SearchTrace;
use crate::verdict::VerdictFile;
use laser_edit::Recipe;
use laser_example::Example;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};

/// The form of a file of a RUN folder.
#[derive(Debug, Clone)]
pub struct FileSchema {
    /// The file's name.
    pub name: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// Its JSON Schema; of a `.jsonl` file that of each line. What it requires is there in all files of this version; those
    /// of older versions may lack some of it.
    pub schema: Schema,
}

/// The schema of every JSON file of a RUN folder.
pub fn file_schemas() -> Vec<FileSchema> {
    let of = |file: RunFile, about: &'static str, schema: fn(&str) -> Schema| {
        let name = file.name();
        FileSchema { name, about, schema: schema(name) }
    };
    vec![
        of(RunFile::Description, "What was asked for: all that the outcome depends on.", schema::<RunDescription>),
        of(RunFile::Examples, "The examples of both splits, one per line.", schema::<SplitExample<Example>>),
        of(RunFile::Journal, "What each candidate gave, one per line. Lines are only added.", schema::<Entry>),
        of(
            RunFile::Costs,
            "What edits do elsewhere than on the task, one candidate and half per line.",
            schema::<Cost>,
        ),
        of(RunFile::Trace, "How the search went through its space. Written at its end.", schema::<SearchTrace>),
        of(RunFile::Ranking, "The ranking by gradients, where there was one.", schema::<Vec<PredictedChange>>),
        of(RunFile::Bf16Checks, "What comparing in bf16 changed (`--dtype bf16`).", schema::<Vec<Bf16Check>>),
        of(RunFile::Recipe, "The edits that were found, for `laser apply --recipe`.", schema::<Recipe>),
        of(RunFile::Verdict, "The verdict with all its figures.", schema::<VerdictFile>),
    ]
}

/// The schema, called `title`, of what a `T` is written as.
pub fn schema<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with_transform(RecursiveTransform(|schema: &mut Schema| {
        // Kinds of numbers in Rust say nothing to others.
        schema.remove("format");
        if let Some(serde_json::Value::String(text)) = schema.get_mut("description") {
            *text = plain(text);
        }
    }));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}

/// Documentation on one line, without links to Rust's items.
fn plain(text: &str) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some((start, end)) =
        text.find(" ([`").and_then(|start| Some((start, start + text[start..].find("`])")? + 3)))
    {
        text.replace_range(start..end, "");
    }
    text.replace("[`", "`").replace("`]", "`")
}
