//! Task files in the YAML of lm-evaluation-harness: the subset that `docs/tasks.md` lists, every other key being an error.
//!
//! [`keys`] reads a file and what it includes, [`task_config`] checks it; [`data_split`] finds the rows, [`docs`] leaves some out and takes others apart,
//! [`reader`] makes an example of each, behind the solved ones of [`fewshot`].

mod any_yaml;
mod data_split;
mod docs;
mod fewshot;
mod field_names;
mod generation;
mod keys;
mod metric_list;
mod python_literal;
mod reader;
mod solved;
mod task_config;
mod texts;
mod values;

use std::collections::HashSet;

use crate::card::Card;
use crate::source::Source;
use crate::task::ByTokenizer;
use crate::template::{Pattern, engine};
use crate::{OpenOptions, Task, TaskError, YamlError};
use data_split::Splits;
use fewshot::{Shots, Solved};
use keys::ReadFile;
use laser_example::{Example, Target};
use reader::Reader;
use solved::SolvedReader;
pub(crate) use task_config::Config;
use task_config::unsupported;

/// The task of a YAML file. `name` is used where the file gives none; `read` opens a file by its path in the YAML.
pub(crate) fn task(source: &Source, name: &str, read: ReadFile, options: &OpenOptions) -> Result<Task, TaskError> {
    let at = |problem| TaskError::Yaml { file: source.name.clone(), line: None, problem };
    let config = Config::read(source, read)?;
    let splits = Splits { config: &config, name: &source.name, read, options };
    let engine = engine(options.paper_compat);

    let found = splits.evaluated()?;
    let all = found.len();
    let rows = docs::prepare(&config, &engine, found, at)?;
    if rows.is_empty() {
        return Err(at(YamlError::NoRows { rows: all }));
    }
    let used = rows.iter().map(|doc| (&doc.file, &doc.group)).collect::<HashSet<_>>().len();
    let names = docs::fields(&rows);
    let reader = Reader::new(&config, &engine, &names).map_err(at)?;
    let by = config.distinct.as_deref().map(|text| Pattern::text(&engine, &names, "distinct", text)).transpose();
    let kept: Vec<usize> = match (by.map_err(at)?, reader.answer()) {
        (Some(by), Some(answer)) => docs::distinct(&rows, &by, answer)?,
        _ => (0..rows.len()).collect(),
    };

    let example = |doc: &docs::Doc| reader.example(doc).map_err(|wrong| doc.at(wrong));
    let mut examples = kept.iter().map(|&index| example(&rows[index])).collect::<Result<Vec<Example>, _>>()?;

    if let Some(count) = config.num_fewshot.filter(|&count| count > 0) {
        let solver = SolvedReader::new(&config, &engine, &names).map_err(at)?;
        let solved = |doc: &docs::Doc| {
            let both = || Ok(Solved { text: solver.text(doc)?, group: reader.group(doc)? });
            both().map_err(|wrong| doc.at(wrong))
        };
        let evaluated = kept.iter().map(|&index| solved(&rows[index])).collect::<Result<Vec<Solved>, _>>()?;
        let separate = match splits.solved()? {
            Some(docs) => {
                Some(docs::prepare(&config, &engine, docs, at)?.iter().map(solved).collect::<Result<Vec<_>, _>>()?)
            }
            None => None,
        };
        let shots = Shots::new(&config, separate, &evaluated, options.seed);
        let help = "there are not so many solved examples beside a question and its paraphrases";
        let behind = |(index, example): (usize, &Example)| {
            shots.before(index, example).ok_or_else(|| at(unsupported("num_fewshot", &count.to_string(), help)))
        };
        examples = examples.iter().enumerate().map(behind).collect::<Result<_, _>>()?;
    }
    let mut task = Task::new(config.task.as_deref().unwrap_or(name), examples)?;
    task.left_out = all - used;
    task.notes = config.notes.iter().chain(&reader.notes).cloned().collect();
    task.notes.extend(none_right(&task.examples));
    task.by_tokenizer = ByTokenizer {
        max_answer_tokens: config.max_answer_tokens,
        sentencepiece_new_tokens: config.generation().max_gen_toks_sentencepiece,
    };
    Ok(task)
}

/// A note on examples of which no choice is right.
fn none_right(examples: &[Example]) -> Option<String> {
    let none = |example: &&Example| matches!(&example.target, Target::Choose(choice) if choice.none_right);
    let found: Vec<&Example> = examples.iter().filter(none).collect();
    let first = found.first()?;
    let (count, of) = (found.len(), examples.len());
    Some(format!(
        "{count} of {of} answers are none of their choices and score as wrong, the first that of {}",
        first.id
    ))
}

/// What a task file says about itself. Its data is not looked at, but all else is checked.
pub(crate) fn card(source: &Source, name: &str, read: ReadFile) -> Result<Card, TaskError> {
    let config = Config::read(source, read)?;
    let fields = HashSet::new();
    let engine = engine(false);
    let at = |problem| TaskError::Yaml { file: source.name.clone(), line: None, problem };
    Reader::new(&config, &engine, &fields).map_err(at)?;
    docs::prepare(&config, &engine, Vec::new(), at)?;
    let splits = Splits { config: &config, name: &source.name, read, options: &OpenOptions::default() };
    splits.check()?;
    Ok(Card::new(config.task.as_deref().unwrap_or(name), &config))
}
