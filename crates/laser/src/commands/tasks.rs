//! `laser tasks`: the built-in tasks.

use crate::bar::Bar;
use crate::cli::{DataOptions, Global, TasksCommand, TasksOptions};
use crate::output;
use anyhow::Context;
use laser_tasks::{Card, Task};
use serde_json::json;
use std::fmt::Write;

pub fn run(options: &TasksOptions, global: &Global) -> anyhow::Result<()> {
    match &options.command {
        None => list(global),
        Some(TasksCommand::Show { name, data }) => show(name, data, global),
    }
}

fn list(global: &Global) -> anyhow::Result<()> {
    let cards = Task::builtin_names().into_iter().map(card).collect::<anyhow::Result<Vec<Card>>>()?;
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
    let card = card(name)?;
    // A look at the data only where it is at hand.
    let inside = name == "facts";
    let task = match data.data.is_some() || inside {
        true => Some(data.source(name.to_owned()).read(&Bar::new(global.quiet))?),
        false => None,
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
    output::print(&lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect::<String>())
}

fn card(name: &str) -> anyhow::Result<Card> {
    let unknown = || format!("{name}: no such built-in task: see `laser tasks`");
    Ok(Task::builtin_card(name).with_context(unknown)??)
}
