//! Task files in the YAML of lm-evaluation-harness: the subset that `docs/tasks.md` lists, every other key being an error.
//!
//! [`keys`] reads a file and what it includes, [`task_config`] checks it; [`data_split`] finds the rows, [`docs`] leaves some out and takes others apart,
//! [`reader`] makes an example of each, behind the solved ones of [`fewshot`].

mod data_split;
mod docs;
mod fewshot;
mod keys;
mod reader;
mod task_config;

use std::collections::HashSet;

use crate::card::Card;
use crate::source::Source;
use crate::task::ByTokenizer;
use crate::template::{Pattern, engine};
use crate::{OpenOptions, Task, TaskError, YamlError};
use data_split::Splits;
use fewshot::Shots;
use keys::ReadFile;
use laser_example::Example;
use reader::Reader;
pub(crate) use task_config::Config;
use task_config::{IndexOrText, ListOrText, unsupported};

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
    let kept = match (by.map_err(at)?, reader.answer()) {
        (Some(by), Some(answer)) => docs::distinct(&rows, &by, answer)?,
        _ => (0..rows.len()).collect(),
    };

    let example = |doc: &docs::Doc| reader.example(doc).map_err(|wrong| doc.at(wrong));
    let mut examples = kept.into_iter().map(|index| example(&rows[index])).collect::<Result<Vec<Example>, _>>()?;

    if let Some(count) = config.num_fewshot.filter(|&count| count > 0) {
        let separate = match splits.solved()? {
            Some(docs) => {
                Some(docs::prepare(&config, &engine, docs, at)?.iter().map(example).collect::<Result<Vec<_>, _>>()?)
            }
            None => None,
        };
        let shots = Shots::new(&config, separate.as_ref().unwrap_or(&examples), separate.is_none(), options.seed);
        let help = "there are not so many solved examples beside a question and its paraphrases";
        let behind = |(index, example): (usize, &Example)| {
            shots.before(index, example).ok_or_else(|| at(unsupported("num_fewshot", &count.to_string(), help)))
        };
        examples = examples.iter().enumerate().map(behind).collect::<Result<_, _>>()?;
    }
    let mut task = Task::new(config.task.as_deref().unwrap_or(name), examples)?;
    task.left_out = all - used;
    task.by_tokenizer = ByTokenizer {
        max_answer_tokens: config.max_answer_tokens,
        sentencepiece_new_tokens: config
            .generation_kwargs
            .as_ref()
            .and_then(|kwargs| kwargs.max_gen_toks_sentencepiece),
    };
    Ok(task)
}

/// What a task file says about itself. Its data is not looked at, but all else is checked.
pub(crate) fn card(source: &Source, name: &str, read: ReadFile) -> Result<Card, TaskError> {
    let config = Config::read(source, read)?;
    let fields = plain_words(&config);
    let engine = engine(false);
    let at = |problem| TaskError::Yaml { file: source.name.clone(), line: None, problem };
    Reader::new(&config, &engine, &fields).map_err(at)?;
    docs::prepare(&config, &engine, Vec::new(), at)?;
    let splits = Splits { config: &config, name: &source.name, read, options: &OpenOptions::default() };
    splits.check()?;
    Ok(Card::new(config.task.as_deref().unwrap_or(name), &config))
}

/// The texts of a file that name fields of the data, if they are no templates.
fn plain_words(config: &Config) -> HashSet<&str> {
    let target = config.doc_to_target.as_ref().and_then(|target| match target {
        IndexOrText::Text(text) => Some(text),
        IndexOrText::Index(_) => None,
    });
    let choices = config.doc_to_choice.as_ref().and_then(|choices| match choices {
        ListOrText::Text(text) => Some(text),
        ListOrText::List(_) => None,
    });
    let texts = [config.doc_to_text.as_ref(), target, choices, config.doc_to_group.as_ref(), config.distinct.as_ref()];
    texts.into_iter().flatten().map(String::as_str).collect()
}
