//! A task: a name and its examples.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::TaskError;
use crate::content_free_prompt::ContentFreePrompt;
use laser_example::{Example, Matching, SplitMix64, Target};

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
    /// What the reader of the task's file should know, a line each.
    pub notes: Vec<String>,
    /// What the prompts of the whole task have in common; a sample keeps it.
    content_free: Option<ContentFreePrompt>,
    /// What is still to be settled by the model's tokenizer.
    pub(crate) by_tokenizer: ByTokenizer,
}

/// What depends on how a model's tokenizer cuts words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ByTokenizer {
    /// Examples whose answer has more tokens are left out.
    pub max_answer_tokens: Option<usize>,
    /// Tokens that are generated where the tokenizer is a sentencepiece one.
    pub sentencepiece_new_tokens: Option<usize>,
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
        let content_free = ContentFreePrompt::of(&examples);
        Ok(Self::of_checked(name, examples, content_free, ByTokenizer::default()))
    }

    /// The task for a model's tokenizer: some tasks leave out long answers, or generate more where words are cut up.
    /// `tokens` counts the tokens of an example's answer; `sentencepiece` says whether the tokenizer is of that kind.
    /// Nothing is left to be settled in the result.
    ///
    /// # Errors
    /// If every answer is too long.
    pub fn for_tokenizer(&self, sentencepiece: bool, tokens: impl Fn(&Example) -> usize) -> Result<Self, TaskError> {
        let rules = self.by_tokenizer;
        let longest = rules.max_answer_tokens.unwrap_or(usize::MAX);
        let mut examples: Vec<Example> = self
            .examples
            .iter()
            .filter(|example| longest == usize::MAX || tokens(example) <= longest)
            .cloned()
            .collect();
        if examples.is_empty() {
            return Err(TaskError::AnswersTooLong { task: self.name.clone(), longest });
        }
        if let Some(new_tokens) = rules.sentencepiece_new_tokens.filter(|_| sentencepiece) {
            for example in &mut examples {
                if let Target::Generate(generation) = &mut example.target {
                    generation.max_new_tokens = new_tokens;
                }
            }
        }
        Ok(Self::of_checked(&self.name, examples, self.content_free.clone(), ByTokenizer::default()))
    }

    /// The prompt of `example` with an empty content: what its question has in common with all others of the task. None where the
    /// example has no choices, or the questions nothing in common.
    pub fn content_free_prompt(&self, example: &Example) -> Option<String> {
        example.choices()?;
        Some(self.content_free.as_ref()?.prompt(example))
    }

    /// A seeded sample of at most `n` examples in their old order, groups whole; everything when `n`
    /// is large enough.
    ///
    /// Groups are shuffled and taken in that order; one that no longer fits is passed over.
    ///
    /// # Errors
    /// If `n` is below the size of every group.
    pub fn limit(&self, n: usize, seed: u64) -> Result<Self, TaskError> {
        if n >= self.examples.len() {
            return Ok(self.clone());
        }
        let groups = self.shuffled_groups(seed);
        let kept = take_whole(&groups, n);
        if kept.is_empty() {
            return Err(TaskError::Limit {
                task: self.name.clone(),
                limit: n,
                smallest: groups.iter().map(Vec::len).min().unwrap_or(1),
            });
        }
        let examples = kept.iter().map(|&i| self.examples[i].clone()).collect();
        Ok(Self::of_checked(&self.name, examples, self.content_free.clone(), self.by_tokenizer))
    }

    /// The indices of each group's examples, the groups in an order that depends on `seed` alone.
    pub(crate) fn shuffled_groups(&self, seed: u64) -> Vec<Vec<usize>> {
        let mut place: HashMap<&str, usize> = HashMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (i, example) in self.examples.iter().enumerate() {
            let at = *place.entry(&example.group).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.push(i),
                None => groups.push(vec![i]),
            }
        }
        SplitMix64::new(seed).shuffle(&mut groups);
        groups
    }

    fn of_checked(
        name: &str,
        examples: Vec<Example>,
        content_free: Option<ContentFreePrompt>,
        by_tokenizer: ByTokenizer,
    ) -> Self {
        let digest = digest(&examples, content_free.as_ref());
        Self { name: name.to_owned(), digest, examples, left_out: 0, notes: Vec::new(), content_free, by_tokenizer }
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

/// SHA-256 over the texts of every example, each after its length in bytes, so that no two tasks run into one another. What
/// a task leaves at its default is not hashed.
fn digest(examples: &[Example], content_free: Option<&ContentFreePrompt>) -> String {
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
        };
        add(kind);
        add(&number.to_string());
        add(&texts.len().to_string());
        for text in texts {
            add(text);
        }
        if example.delimiter != " " {
            add("delimiter");
            add(&example.delimiter);
        }
        match &example.target {
            Target::Generate(generation) => {
                for stop in &generation.until {
                    add("until");
                    add(stop);
                }
                if generation.matching != Matching::Contains {
                    add(&format!("{:?}", generation.matching));
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
            Target::LogLikelihood { .. } | Target::Rolling { .. } => {}
        }
    }
    for part in content_free.iter().flat_map(|prompt| prompt.parts()) {
        add(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
