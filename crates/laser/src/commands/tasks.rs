//! `laser tasks`: the built-in tasks.

use crate::bar::Bar;
use crate::cli::{DataOptions, Global, TasksCommand, TasksOptions};
use crate::output;
use anyhow::Context;
use laser_example::{plain, readable};
use laser_tasks::{Card, Task};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

pub fn run(options: &TasksOptions, global: &Global) -> anyhow::Result<()> {
    match &options.command {
        None => list(global),
        Some(TasksCommand::Show { name, data }) => show(name, data, global),
        Some(TasksCommand::Check { paths }) => check(paths, global),
    }
}

fn list(global: &Global) -> anyhow::Result<()> {
    let cards = Task::builtin_names().into_iter().map(Task::card).collect::<Result<Vec<Card>, _>>()?;
    if global.json {
        return output::print_json(&cards);
    }
    let width = cards.iter().map(|card| card.task.len()).max().unwrap_or(0);
    let mut text = format!("{:<width$}  examples  about\n", "task");
    for card in &cards {
        let about = card.about.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{:<width$}  {:>8}  {about}", card.task, card.examples.unwrap_or(0));
    }
    output::print(&text)
}

fn show(name: &str, data: &DataOptions, global: &Global) -> anyhow::Result<()> {
    let card = Task::card(name)?;
    // A look at the data only where it is at hand.
    let inside = name == "facts";
    let read = || data.source(name.to_owned()).read(&Bar::new(global.quiet));
    let task = match data.data.is_some() || inside {
        true => Some(read()?.task),
        // A file that is not there yet does not hide what the task is.
        false => card.has_files.then(|| read().ok()).flatten().map(|read| read.task),
    };
    let example = task.as_ref().map(|task| &task.examples[0]);
    let found = task.as_ref().map(|task| task.examples.len());
    if global.json {
        let example = example.map(|example| json!({"prompt": example.prompt, "answer": example.answer()}));
        let mut value = serde_json::to_value(&card)?;
        (value["found"], value["example"]) = (json!(found), json!(example));
        return output::print_json(&value);
    }
    let mut lines: Vec<(&str, String)> = vec![("task", card.task)];
    lines.extend((!card.subtasks.is_empty()).then(|| ("tasks", card.subtasks.join(", "))));
    lines.extend(card.aggregate.into_iter().map(|metric| ("metric", metric)));
    lines.extend(card.about.map(|about| ("about", about)));
    lines.extend(card.prompt.map(|prompt| ("prompt", prompt)));
    lines.extend(card.answer.map(|answer| ("answer", answer)));
    lines.extend(card.choices.map(|choices| ("choices", choices.join(", "))));
    lines.extend(card.only_where.map(|only| ("where", only)));
    lines.extend(card.expand.into_iter().flatten().map(|(name, list)| ("expand", format!("{name}: {list}"))));
    lines.push(("scoring", card.scoring.to_owned()));
    lines.extend(card.new_tokens.map(|tokens| ("tokens", format!("{tokens} generated"))));
    lines.extend(card.examples.map(|examples| ("examples", format!("{examples} in the whole data set"))));
    lines.extend(found.map(|found| ("found", format!("{found} here"))));
    lines.extend(card.source.map(|source| ("source", source)));
    lines.extend(card.hub.map(|hub| ("hub", format!("{hub} (fetched on first use, unless --data FILE is given)"))));
    lines.extend(card.licence.map(|licence| ("licence", licence)));
    lines.extend(example.map(|example| ("example", format!("{} -> {}", example.prompt, example.answer()))));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:<width$}  {}\n", readable(value));
    output::print(&lines.iter().map(line).collect::<String>())
}

#[derive(Serialize)]
struct Checked {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Whether task files can be used. Their data is looked at where it is in files that they name; what is on the hub is not
/// fetched.
fn check(paths: &[PathBuf], global: &Global) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => task_files(path, &mut files)?,
            false => files.push(path.clone()),
        }
    }
    let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    let checked: Vec<Checked> = Task::cards(&names)
        .into_iter()
        .zip(files.clone())
        .map(|(card, file)| match card.map(|card| with_data(card, &file)) {
            Ok(Ok(card)) => Checked { file, task: Some(card.task), problem: None },
            Ok(Err(problem)) => Checked { file, task: None, problem: Some(problem) },
            Err(error) => Checked { file, task: None, problem: Some(error.to_string()) },
        })
        .collect();
    let refused = checked.iter().filter(|it| it.problem.is_some()).count();
    if global.json {
        output::print_json(&checked)?;
    } else {
        let line = |it: &Checked| match (&it.task, &it.problem) {
            (_, Some(problem)) => format!("{problem}\n"),
            (task, None) => {
                let (file, task) = (it.file.to_string_lossy(), task.as_deref().unwrap_or_default());
                format!("{}: {}: can be used\n", plain(&file), plain(task))
            }
        };
        output::print(&checked.iter().map(line).collect::<String>())?;
    }
    let of = checked.len();
    anyhow::ensure!(refused == 0, "{refused} of {of} task files cannot be used: docs/tasks.md says what can");
    Ok(())
}

/// The card, if the data that the task names in files can be used, too. Data files themselves have been read for their card.
fn with_data(card: Card, file: &Path) -> Result<Card, String> {
    let name = file.to_string_lossy();
    let is_yaml = file
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml"));
    if !card.has_files || !is_yaml {
        return Ok(card);
    }
    match Task::open(&name) {
        Ok(_) => Ok(card),
        // Most messages are about the data file alone.
        Err(error) => Err(match error.to_string() {
            told if told.starts_with(name.as_ref()) => told,
            told => format!("{}: {told}", plain(&name)),
        }),
    }
}

/// The YAML files in a folder and in those below, by name. Links to folders are not followed: they may lead around in circles.
fn task_files(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let failed = || format!("{}: the folder cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(failed)?;
    let found = |entry: io::Result<fs::DirEntry>| -> io::Result<(PathBuf, bool)> {
        let entry = entry?;
        Ok((entry.path(), entry.file_type()?.is_dir()))
    };
    let mut paths = entries.map(found).collect::<io::Result<Vec<_>>>().with_context(failed)?;
    paths.sort();
    for (path, is_folder) in paths {
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if is_folder {
            task_files(&path, files)?;
        } else if yaml && !path.is_dir() {
            files.push(path);
        }
    }
    Ok(())
}
