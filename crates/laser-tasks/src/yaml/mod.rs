//! Task files in the YAML of lm-evaluation-harness: the subset that `docs/tasks.md` lists, every other key being an error.
//!
//! [`task_config`] is a file as it is written, with what it includes; [`data_split`] finds the rows, [`docs`] leaves some out and takes others apart,
//! [`reader`] makes an example of each, behind the solved ones of [`fewshot`].

mod data_split;
mod docs;
mod fewshot;
mod reader;
mod task_config;

use std::collections::HashSet;
use std::path::Path;

use crate::card::Card;
use crate::source::Source;
use crate::task::ByTokenizer;
use crate::template::{Pattern, engine};
use crate::{OpenOptions, Task, TaskError, YamlError};
use data_split::Splits;
use fewshot::Shots;
use laser_example::Example;
use reader::Reader;
pub(crate) use task_config::Config;
use task_config::unsupported;

/// The task of a YAML file. `name` is used where the file gives none; `read` opens a file by its path in the YAML.
pub(crate) fn task(
    source: &Source,
    name: &str,
    read: &dyn Fn(&Path) -> Result<Source, TaskError>,
    options: &OpenOptions,
) -> Result<Task, TaskError> {
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

/// What a task file says about itself.
pub(crate) fn card(source: &Source, name: &str) -> Result<Card, TaskError> {
    let alone = |path: &Path| {
        Err(TaskError::Read { file: path.display().to_string(), source: std::io::ErrorKind::NotFound.into() })
    };
    Ok(Card::new(name, &Config::read(source, &alone)?))
}
