//! A task: a name and its examples.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::TaskError;
use crate::bad_rows::SkippedRows;
use crate::subtask::{ByTokenizer, Subtask, TaskGroup, shares};
use laser_example::{Example, Matching, SplitMix64, Target, TaskMetrics};

/// A named list of examples, at least one, all ids different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What the task is called.
    pub name: String,
    /// The examples, in the order of the file.
    pub examples: Vec<Example>,
    /// SHA-256, in hex, of the examples (not of the name, and not of how the file writes them): equal for the same task.
    pub digest: String,
    /// How many rows of the data `where` left out.
    pub left_out: usize,
    /// What its file asks to be measured; nothing where no file says.
    pub metrics: TaskMetrics,
    /// What the reader of the task's file should know, a line each.
    pub notes: Vec<String>,
    /// The rows of the data that were left out because they cannot be used.
    pub skipped: Option<SkippedRows>,
    /// Solved examples before each question; none where the tasks of a group have different
    /// numbers.
    pub shots: Option<usize>,
    /// The parts of the examples, in order: one unless this is a group of tasks.
    pub subtasks: Vec<Subtask>,
    /// This group of tasks and those in it; none for a plain task.
    pub groups: Vec<TaskGroup>,
    /// Where several tasks were asked for together, their names, with which the ids of their examples begin; else nothing.
    pub members: Vec<String>,
}

impl Task {
    /// A task from its examples.
    ///
    /// # Errors
    /// If there is no example, or if two have the same id.
    pub fn new(name: &str, examples: Vec<Example>) -> Result<Self, TaskError> {
        if examples.is_empty() {
            return Err(TaskError::Empty { file: name.to_owned() });
        }
        let mut ids = HashSet::new();
        if let Some(example) = examples.iter().find(|example| !ids.insert(&example.id)) {
            return Err(TaskError::DuplicateId { task: name.to_owned(), id: example.id.clone() });
        }
        let subtasks = vec![Subtask::new(name, 0, &examples)];
        Ok(Self::of_checked(name, examples, subtasks, Vec::new()))
    }

    /// Many tasks as one. Ids and groups of their examples get the task's name in front, so that they stay apart.
    ///
    /// # Errors
    /// If there is no task, or if two have the same name.
    pub fn of_many(name: &str, tasks: Vec<Self>, groups: Vec<TaskGroup>) -> Result<Self, TaskError> {
        let (mut examples, mut subtasks, mut left_out) = (Vec::new(), Vec::new(), 0);
        let (mut skipped, mut notes) = (Vec::new(), Vec::new());
        let mut names = HashSet::new();
        let shots = tasks.first().and_then(|task| task.shots);
        let shots = shots.filter(|&shots| tasks.iter().all(|task| task.shots == Some(shots)));
        for task in tasks {
            if !names.insert(task.name.clone()) {
                return Err(TaskError::DuplicateId { task: name.to_owned(), id: task.name });
            }
            left_out += task.left_out;
            notes.extend(task.notes.iter().map(|note| format!("{}: {note}", task.name)));
            skipped.extend(task.skipped);
            // Of a group each has a name of its own.
            let several = task.subtasks.len() > 1;
            for subtask in task.subtasks {
                let name = if several { format!("{}/{}", task.name, subtask.name) } else { subtask.name.clone() };
                let start = examples.len() + subtask.examples.start;
                let end = examples.len() + subtask.examples.end;
                let metrics = task.metrics.clone();
                subtasks.push(Subtask { name, examples: start..end, metrics, ..subtask });
            }
            examples.extend(task.examples.into_iter().map(|example| Example {
                id: format!("{}/{}", task.name, example.id),
                group: format!("{}/{}", task.name, example.group),
                ..example
            }));
        }
        if examples.is_empty() {
            return Err(TaskError::Empty { file: name.to_owned() });
        }
        let mut all = Self::of_checked(name, examples, subtasks, groups);
        (all.left_out, all.notes, all.shots) = (left_out, notes, shots);
        all.skipped = SkippedRows::together(skipped);
        Ok(all)
    }

    /// Whether a model's tokenizer has no say in it: [`Self::for_tokenizer`] would give the same task.
    pub fn is_settled(&self) -> bool {
        self.subtasks.iter().all(|subtask| subtask.by_tokenizer == ByTokenizer::default())
    }

    /// Several tasks that count together, each by its name.
    ///
    /// # Errors
    /// As [`Self::of_many`].
    pub fn together(tasks: Vec<Self>) -> Result<Self, TaskError> {
        let members: Vec<String> = tasks.iter().map(|task| task.name.clone()).collect();
        let all = Self::of_many(&members.join(" + "), tasks, Vec::new())?;
        Ok(Self { members, ..all })
    }

    /// The task for a model's tokenizer: some tasks leave out long answers, or generate more where words are cut up.
    /// `tokens` counts the tokens of an example's answer; `sentencepiece` says whether the tokenizer is of that kind.
    /// Nothing is left to be settled in the result.
    ///
    /// # Errors
    /// If every answer is too long.
    pub fn for_tokenizer(&self, sentencepiece: bool, tokens: impl Fn(&Example) -> usize) -> Result<Self, TaskError> {
        let mut kept = Vec::with_capacity(self.examples.len());
        let mut longest_of_all = 0;
        for subtask in &self.subtasks {
            let longest = subtask.by_tokenizer.max_answer_tokens.unwrap_or(usize::MAX);
            let fits = |&number: &usize| longest == usize::MAX || tokens(&self.examples[number]) <= longest;
            kept.extend(subtask.examples.clone().filter(fits));
            longest_of_all = longest_of_all.max(longest);
        }
        if kept.is_empty() {
            return Err(TaskError::AnswersTooLong { task: self.name.clone(), longest: longest_of_all });
        }
        let mut settled = self.keeping(&kept);
        for subtask in &mut settled.subtasks {
            if let Some(new_tokens) = subtask.by_tokenizer.sentencepiece_new_tokens.filter(|_| sentencepiece) {
                for example in &mut settled.examples[subtask.examples.clone()] {
                    if let Target::Generate(generation) = &mut example.target {
                        generation.max_new_tokens = new_tokens;
                    }
                }
            }
            subtask.by_tokenizer = ByTokenizer::default();
        }
        settled.digest = digest(&settled.examples, &settled.subtasks);
        Ok(settled)
    }

    /// `example` with an empty content: its question is what it has in common with all others of the task. None where the
    /// example has no choices, or the questions nothing in common.
    pub fn content_free(&self, example: &Example) -> Option<Example> {
        example.choices()?;
        let own = |subtask: &&Subtask| match self.subtasks.len() {
            1 => true,
            _ => example.id.strip_prefix(subtask.name.as_str()).is_some_and(|rest| rest.starts_with('/')),
        };
        // Of names that begin alike, the longest.
        let subtask = self.subtasks.iter().filter(own).max_by_key(|subtask| subtask.name.len())?;
        Some(subtask.content_free.as_ref()?.example(example))
    }

    /// The first `n` examples of each subtask, as lm-evaluation-harness takes them with its `--limit`.
    ///
    /// # Errors
    /// If `n` is 0.
    pub fn first(&self, n: usize) -> Result<Self, TaskError> {
        if n == 0 {
            return Err(TaskError::Limit { task: self.name.clone(), limit: 0, smallest: 1 });
        }
        let kept: Vec<usize> = self.subtasks.iter().flat_map(|subtask| subtask.examples.clone().take(n)).collect();
        Ok(self.keeping(&kept))
    }

    /// The examples with these numbers, ascending and at least one, and their subtasks.
    ///
    /// # Errors
    /// If there is none.
    pub fn only(&self, numbers: &[usize]) -> Result<Self, TaskError> {
        match numbers.is_empty() {
            true => Err(TaskError::Empty { file: self.name.clone() }),
            false => Ok(self.keeping(numbers)),
        }
    }

    /// A seeded sample of at most `n` examples in their old order, groups whole; everything when `n`
    /// is large enough.
    ///
    /// Groups are shuffled and taken in that order; one that no longer fits is passed over. Of several subtasks each
    /// gives its share.
    ///
    /// # Errors
    /// If `n` is below the size of every group.
    pub fn limit(&self, n: usize, seed: u64) -> Result<Self, TaskError> {
        if n >= self.examples.len() {
            return Ok(self.clone());
        }
        let kept = self.balanced(n, seed);
        if kept.is_empty() {
            return Err(TaskError::Limit { task: self.name.clone(), limit: n, smallest: self.smallest_limit(n) });
        }
        Ok(self.keeping(&kept))
    }

    /// The first number above `n` of which the share of some subtask holds one of its groups.
    fn smallest_limit(&self, n: usize) -> usize {
        let sizes: Vec<usize> = self.subtasks.iter().map(|subtask| subtask.examples.len()).collect();
        let smallest = |subtask: &Subtask| self.groups_within(subtask.examples.clone(), 0).iter().map(Vec::len).min();
        let smallest: Vec<usize> =
            self.subtasks.iter().map(|subtask| smallest(subtask).unwrap_or(usize::MAX)).collect();
        let holds = |n: &usize| shares(*n, &sizes).iter().zip(&smallest).any(|(share, smallest)| share >= smallest);
        (n + 1..self.examples.len()).find(holds).unwrap_or(self.examples.len())
    }

    /// Ascending numbers of about `n` examples, groups whole, each subtask's in proportion to its size.
    pub(crate) fn balanced(&self, n: usize, seed: u64) -> Vec<usize> {
        let sizes: Vec<usize> = self.subtasks.iter().map(|subtask| subtask.examples.len()).collect();
        let shares = shares(n, &sizes);
        let shared = self.subtasks.iter().zip(shares);
        shared
            .flat_map(|(subtask, share)| take_whole(&self.groups_within(subtask.examples.clone(), seed), share))
            .collect()
    }

    /// The indices of each group's examples, the groups in an order that depends on `seed` alone.
    pub(crate) fn shuffled_groups(&self, seed: u64) -> Vec<Vec<usize>> {
        self.groups_within(0..self.examples.len(), seed)
    }

    fn groups_within(&self, examples: Range<usize>, seed: u64) -> Vec<Vec<usize>> {
        let mut place: HashMap<&str, usize> = HashMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for i in examples {
            let at = *place.entry(&self.examples[i].group).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.push(i),
                None => groups.push(vec![i]),
            }
        }
        SplitMix64::new(seed).shuffle(&mut groups);
        groups
    }

    /// The examples with these numbers, ascending.
    fn keeping(&self, kept: &[usize]) -> Self {
        let mut subtasks: Vec<Subtask> = Vec::with_capacity(self.subtasks.len());
        for subtask in &self.subtasks {
            let start = subtasks.last().map_or(0, |subtask| subtask.examples.end);
            let subtask = subtask.keeping(kept, start);
            if !subtask.examples.is_empty() {
                subtasks.push(subtask);
            }
        }
        let examples = kept.iter().map(|&i| self.examples[i].clone()).collect();
        let skipped = self.skipped.clone();
        Self {
            skipped,
            shots: self.shots,
            metrics: self.metrics.clone(),
            members: self.members.clone(),
            ..Self::of_checked(&self.name, examples, subtasks, self.groups.clone())
        }
    }

    fn of_checked(name: &str, examples: Vec<Example>, subtasks: Vec<Subtask>, groups: Vec<TaskGroup>) -> Self {
        let digest = digest(&examples, &subtasks);
        Self {
            name: name.to_owned(),
            digest,
            examples,
            left_out: 0,
            metrics: TaskMetrics::default(),
            notes: Vec::new(),
            skipped: None,
            shots: Some(0),
            subtasks,
            groups,
            members: Vec::new(),
        }
    }
}

/// Ascending indices of whole groups, taken in order while they fit into `n`; a group that does not fit is passed over.
pub(crate) fn take_whole(groups: &[Vec<usize>], n: usize) -> Vec<usize> {
    let mut taken = Vec::new();
    for group in groups {
        if taken.len() + group.len() <= n {
            taken.extend(group);
        }
    }
    taken.sort_unstable();
    taken
}

/// A value as a RUN folder keeps it.
fn stored(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// SHA-256 over the texts of every example, each after its length in bytes, so that no two tasks run into one another. What
/// a task leaves at its default is not hashed.
fn digest(examples: &[Example], subtasks: &[Subtask]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    for example in examples {
        add(&example.id);
        add(&example.group);
        add(&example.prompt);
        let (kind, number, texts) = match &example.target {
            Target::Generate(generation) => ("generate", generation.max_new_tokens, generation.answers.as_slice()),
            Target::Choose(choice) => ("choose", choice.correct, choice.choices.as_slice()),
            Target::LogLikelihood { answer } => ("log_likelihood", 0, std::slice::from_ref(answer)),
            Target::Rolling { text } => ("rolling", 0, std::slice::from_ref(text)),
            Target::Episode { solution } => ("episode", 0, std::slice::from_ref(solution)),
        };
        add(kind);
        add(&number.to_string());
        add(&texts.len().to_string());
        for text in texts {
            add(text);
        }
        for turn in &example.turns {
            add(&stored(turn));
        }
        if example.delimiter != " " {
            add("delimiter");
            add(&example.delimiter);
        }
        if example.delimits_in_chat {
            add("delimits in a chat");
        }
        match &example.target {
            Target::Generate(generation) => {
                for stop in &generation.until {
                    add("until");
                    add(stop);
                }
                if generation.matching != Matching::Contains {
                    add(&stored(&generation.matching));
                }
                if !generation.pipeline.is_empty() {
                    add(&stored(&generation.pipeline));
                    generation.row_choices.iter().for_each(|choice| add(choice));
                }
            }
            Target::Choose(choice) => {
                for (is, what) in [
                    (choice.by_length, "by length"),
                    (choice.by_bytes, "by bytes"),
                    (choice.none_right, "none is right"),
                ] {
                    if is {
                        add(what);
                    }
                }
                for index in &choice.also_correct {
                    add("also correct");
                    add(&index.to_string());
                }
                if let Some(ending) = &choice.ending {
                    add("ending");
                    add(ending);
                }
            }
            Target::LogLikelihood { .. } | Target::Rolling { .. } | Target::Episode { .. } => {}
        }
    }
    let content_free = subtasks.iter().filter_map(|subtask| subtask.content_free.as_ref());
    for text in content_free.flat_map(|prompt| prompt.parts()) {
        add(text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
