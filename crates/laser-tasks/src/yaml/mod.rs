//! Task files in the YAML of lm-evaluation-harness: the subset that `docs/tasks.md` lists, every other key being an error.
//!
//! [`config`] is a file as it is written, with what it includes; [`split`] finds the rows, [`docs`] leaves some out and takes others apart,
//! [`reader`] makes an example of each, behind the solved ones of [`fewshot`].

mod config;
mod docs;
mod fewshot;
mod reader;
mod split;

use std::collections::HashSet;
use std::path::Path;

use crate::card::Card;
use crate::task::ByTokenizer;
use crate::template::{Pattern, engine};
use crate::{Example, OpenOptions, Source, Task, TaskError, YamlError};
pub(crate) use config::Config;
use config::unsupported;
use fewshot::Shots;
use reader::Reader;
use split::Splits;

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

    let rows: Vec<&docs::Doc> = kept.into_iter().map(|index| &rows[index]).collect();

    let shots = match config.num_fewshot {
        None | Some(0) => None,
        Some(count) => {
            let separate = splits.solved()?.map(|docs| docs::prepare(&config, &engine, docs, at)).transpose()?;
            let evaluated = separate.is_none();
            let solved: Vec<&docs::Doc> = match &separate {
                Some(docs) => docs.iter().collect(),
                None => rows.clone(),
            };
            let solved = solved.iter().map(|doc| reader.solved(doc).map_err(|wrong| doc.at(wrong)));
            Some((Shots::new(&config, solved.collect::<Result<_, _>>()?, evaluated, options.seed), count))
        }
    };
    let example = |(index, doc): (usize, &docs::Doc)| {
        let inside = |wrong| doc.at(wrong);
        let before = match &shots {
            None => String::new(),
            Some((shots, count)) => {
                let own = reader.solved(doc).map_err(inside)?;
                let help = "there are not so many solved examples beside a question and its paraphrases";
                let few = || at(unsupported("num_fewshot", &count.to_string(), help));
                shots.before(index, &own).ok_or_else(few)?
            }
        };
        reader.example(doc, &before).map_err(inside)
    };
    let examples = rows.iter().copied().enumerate().map(example).collect::<Result<Vec<Example>, TaskError>>()?;
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
