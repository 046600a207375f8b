//! Task files in the YAML of lm-evaluation-harness: the subset that `docs/tasks.md` lists, every other key being an error.
//!
//! [`keys`] reads a file and what it includes, [`task_config`] checks it; [`data_split`] finds the rows, [`docs`] leaves some out and takes others apart,
//! [`reader`] makes an example of each, behind the solved ones of [`fewshot`].

mod any_yaml;
mod catalogue;
mod data_split;
mod docs;
mod fewshot;
mod field_names;
mod filter_list;
mod generation;
mod group;
mod keys;
mod metric_list;
mod naming_keys;
mod python_random;
mod reader;
mod solved;
mod task_config;
mod texts;
mod values;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::bad_rows::BadRows;
use crate::card::Card;
use crate::source::Source;
use crate::subtask::ByTokenizer;
use crate::template::{FieldOrTemplate, engine};
use crate::{OnBadRow, OpenOptions, Task, TaskError, YamlError};
pub(crate) use catalogue::Catalogue;
use data_split::Splits;
use docs::Doc;
use fewshot::Shots;
use group::{Group, Member};
use keys::ReadFile;
use laser_example::{Example, Target};
use reader::Reader;
pub(crate) use task_config::Config;
use task_config::unsupported;

/// The task of a YAML file. `name` is used where the file gives none; `read` opens a file by its path in the YAML.
pub(crate) fn task(source: &Source, name: &str, read: ReadFile, options: &OpenOptions) -> Result<Task, TaskError> {
    task_of(Config::read(source, read)?, source, name, read, options)
}

/// The task of a YAML file, or the many of a group file as one.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Task, TaskError> {
    let file = YamlFile::read(path)?;
    let keys = keys::keys_and_tags(&file.source, &|path| file.beside(path), &|_| Ok(()))?;
    if !group::is_group(&keys) {
        return task(&file.source, &file.stem, &|path| file.beside(path), options);
    }
    if let Some(data) = options.data {
        return Err(TaskError::DataOfGroup { file: file.source.name, data: data.display().to_string() });
    }
    let group = Group::new(&keys, &file.source, &file.folder, &Catalogue::default())?;
    let member = |member: &Member| {
        let read = |path: &Path| Source::read(&member.folder.join(path));
        let config = Config::of(&member.keys, &member.source)?;
        task_of(config, &member.source, &member.name, &read, options)
    };
    let tasks = group.members.iter().map(member).collect::<Result<Vec<Task>, _>>()?;
    Task::of_many(&group.name, tasks, group.groups)
}

/// The task of the keys of `source`.
fn task_of(
    mut config: Config,
    source: &Source,
    name: &str,
    read: ReadFile,
    options: &OpenOptions,
) -> Result<Task, TaskError> {
    let at = |problem| TaskError::Yaml { file: source.name.clone(), line: None, problem };
    options.metric.map_or(Ok(()), |metric| config.choose(metric)).map_err(at)?;
    let config = &config;
    let fetched = options.data.is_none() && data_split::is_on_hub(config);
    let bad = BadRows::new(options.on_bad_row.unwrap_or(if fetched { OnBadRow::Skip } else { OnBadRow::Error }));
    let splits = Splits { config, name: &source.name, read, options, bad: &bad };
    let engine = engine(options.paper_compat);

    let found = splits.evaluated()?;
    let (all, unread) = (found.len(), bad.count());
    let rows = docs::prepare(config, &engine, found, &bad, at)?;
    if rows.is_empty() {
        return Err(bad.first().unwrap_or_else(|| at(YamlError::NoRows { rows: all })));
    }
    let used = rows.iter().map(|doc| (&doc.file, &doc.group)).collect::<HashSet<_>>().len();
    let left_out = (all - used).saturating_sub(bad.count() - unread);
    let names = docs::fields(&rows);
    let reader = Reader::new(config, &engine, &names).map_err(at)?;
    let by = config.distinct.as_deref().map(|text| FieldOrTemplate::text(&engine, &names, "distinct", text));
    let kept: Vec<Doc>;
    let rows: &[Doc] = match (by.transpose().map_err(at)?, reader.answer()) {
        (Some(by), Some(answer)) => {
            let places = docs::distinct(&rows, &by, answer, &bad)?;
            kept = places.into_iter().map(|place| rows[place].clone()).collect();
            &kept
        }
        _ => &rows,
    };

    let separate = match config.num_fewshot.filter(|&count| count > 0) {
        Some(_) => splits.solved()?.map(|docs| docs::prepare(config, &engine, docs, &bad, at)).transpose()?,
        None => None,
    };
    let mut shots = Shots::new(config, &engine, &names, separate.as_deref().unwrap_or(rows)).map_err(at)?;
    shots.leave_out_question |= splits.are_one_file();
    let example = |doc: &Doc| {
        let example = reader.example(doc).map_err(|wrong| doc.at(wrong))?;
        let help = "there are not so many solved examples beside a question and its paraphrases";
        let count = config.num_fewshot.unwrap_or(0).to_string();
        let solved = shots.before(doc, &bad)?.ok_or_else(|| at(unsupported("num_fewshot", &count, help)))?;
        Ok(example.behind(&solved))
    };
    let examples = rows.iter().map(example).map(|example| bad.met(example)).collect::<Result<Vec<_>, _>>()?;
    let may_show_question = separate.is_none() && shots.may_show_question();
    for (place, error) in shots.unusable() {
        // A row that is a question, too, has been counted where it cannot be one either.
        if separate.is_some() || examples[place].is_some() {
            bad.met(Err::<(), _>(error))?;
        }
    }
    let mut task = Task::new(config.task.as_deref().unwrap_or(name), bad.left(examples)?)?;
    task.metrics = config.metrics.task();
    task.left_out = left_out;
    task.skipped = bad.skipped();
    task.shots = Some(config.num_fewshot.unwrap_or(0));
    task.notes = config.notes.iter().chain(&reader.notes).cloned().collect();
    task.notes.extend(none_right(&task.examples));
    task.notes.extend(run_together(&task.examples));
    task.notes.extend(may_show_question.then(|| {
        "a question may stand among its own solved examples, as in lm-evaluation-harness: name another `fewshot_split`"
            .to_owned()
    }));
    task.subtasks[0].by_tokenizer = ByTokenizer {
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

/// A note where nothing parts any answer from its prompt: what [`Target::LogLikelihood`] asks for, and rarely meant of words.
fn run_together(examples: &[Example]) -> Option<String> {
    let word = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    let run_together = |example: &Example| {
        let continuation = example.continuation(example.answer());
        matches!(example.target, Target::LogLikelihood { .. })
            && word(example.prompt.chars().next_back())
            && word(continuation.chars().next())
    };
    examples.iter().all(run_together).then(|| {
        "nothing stands between prompt and answer, as lm-evaluation-harness has it for loglikelihood: begin \
         doc_to_target with a space if one is meant"
            .to_owned()
    })
}

/// What a task file says about itself. Its data is not looked at, but all else is checked.
pub(crate) fn card(source: &Source, name: &str, read: ReadFile) -> Result<Card, TaskError> {
    card_of(&Config::read(source, read)?, source, name, read)
}

/// What a YAML file says about itself; of a group every task is checked.
pub(crate) fn file_card(path: &Path, catalogue: &Catalogue) -> Result<Card, TaskError> {
    let file = YamlFile::read(path)?;
    let keys = keys::keys_and_tags(&file.source, &|path| file.beside(path), &|_| Ok(()))?;
    if !group::is_group(&keys) {
        return card(&file.source, &file.stem, &|path| file.beside(path));
    }
    let group = Group::new(&keys, &file.source, &file.folder, catalogue)?;
    for member in &group.members {
        let read = |path: &Path| Source::read(&member.folder.join(path));
        card_of(&Config::of(&member.keys, &member.source)?, &member.source, &member.name, &read)?;
    }
    Ok(Card::of_group(&group.name, &group.groups))
}

/// A YAML file and where it lies.
struct YamlFile {
    source: Source,
    stem: String,
    folder: PathBuf,
}

impl YamlFile {
    fn read(path: &Path) -> Result<Self, TaskError> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { source: Source::read(path)?, stem, folder })
    }

    /// A file by its path relative to this one.
    fn beside(&self, path: &Path) -> Result<Source, TaskError> {
        Source::read(&self.folder.join(path))
    }
}

fn card_of(config: &Config, source: &Source, name: &str, read: ReadFile) -> Result<Card, TaskError> {
    let fields = HashSet::new();
    let engine = engine(false);
    let at = |problem| TaskError::Yaml { file: source.name.clone(), line: None, problem };
    let bad = BadRows::new(OnBadRow::Error);
    Reader::new(config, &engine, &fields).map_err(at)?;
    Shots::new(config, &engine, &fields, &[]).map_err(at)?;
    docs::prepare(config, &engine, Vec::new(), &bad, at)?;
    Splits { config, name: &source.name, read, options: &OpenOptions::default(), bad: &bad }.check()?;
    Ok(Card::new(config.task.as_deref().unwrap_or(name), config))
}
