//! Solved examples before the question (`num_fewshot`), the same that lm-evaluation-harness takes.

use std::cell::RefCell;
use std::collections::HashSet;

use laser_template::Environment;

use super::docs::Doc;
use super::python_random::PythonRandom;
use super::solved::SolvedReader;
use super::task_config::{Config, Sampler};
use crate::template::Pattern;
use crate::{RowError, YamlError};
use laser_example::Example;

/// The seed that lm-evaluation-harness draws by unless it is given another.
const SEED: u32 = 1234;

/// The solved examples of a task.
pub struct Shots<'a> {
    pool: &'a [Doc],
    reader: SolvedReader<'a>,
    count: usize,
    sampler: Sampler,
    /// Whether a row that is the question itself is not shown.
    pub leave_out_question: bool,
    /// What paraphrases share, which are not shown either.
    group: Option<Group<'a>>,
    /// Goes on from question to question.
    random: RefCell<PythonRandom>,
}

enum Group<'a> {
    /// The row that they were taken from.
    Row,
    Of(Pattern<'a>),
}

impl<'a> Shots<'a> {
    /// Solved examples of `pool`, rows that have `fields`.
    pub fn new(
        config: &'a Config,
        engine: &Environment,
        fields: &HashSet<&str>,
        pool: &'a [Doc],
    ) -> Result<Self, YamlError> {
        let own = config.fewshot_config.as_ref();
        let split = own.and_then(|own| own.split.as_ref()).or(config.fewshot_split.as_ref());
        let group = match &config.doc_to_group {
            Some(text) => Some(Group::Of(Pattern::value(engine, fields, "doc_to_group", text)?)),
            None => config.expand.as_ref().map(|_| Group::Row),
        };
        Ok(Self {
            pool,
            reader: SolvedReader::new(config, engine, fields)?,
            count: config.num_fewshot.unwrap_or(0),
            sampler: own.map_or(Sampler::Default, |own| own.sampler),
            // Where neither is named, they are the same, too.
            leave_out_question: split == config.test_split.as_ref(),
            group,
            random: RefCell::new(PythonRandom::new(SEED)),
        })
    }

    /// Whether a question can be among the examples shown before it, if they are of one split.
    pub fn may_show_question(&self) -> bool {
        self.count > 0 && !self.leave_out_question && self.group.is_none()
    }

    /// The example of `doc` behind solved ones; to be called for one row after the other. None where too few are left.
    pub fn before(&self, doc: &Doc, example: Example) -> Result<Option<Example>, RowError> {
        if self.count == 0 {
            return Ok(Some(example));
        }
        let Some(places) = self.places(doc)? else { return Ok(None) };
        let shots = places.iter().map(|&place| self.reader.text(&self.pool[place])).collect::<Result<String, _>>()?;
        let (description, question) = example.prompt.split_at(example.question);
        let prompt = [description, &shots, question].concat();
        Ok(Some(Example { prompt, question: example.question + shots.len(), ..example }))
    }

    /// Which rows of the pool are shown.
    fn places(&self, doc: &Doc) -> Result<Option<Vec<usize>>, RowError> {
        let all = 0..self.pool.len();
        let other = |&place: &usize| !self.leave_out_question || self.pool[place].row.fields != doc.row.fields;
        if self.group.is_some() {
            let own = self.group_of(doc)?;
            let mut others = Vec::with_capacity(self.pool.len());
            for place in all.filter(other) {
                if self.group_of(&self.pool[place])? != own {
                    others.push(place);
                }
            }
            return Ok(match self.sampler {
                Sampler::FirstN => (others.len() >= self.count).then(|| others[..self.count].to_vec()),
                Sampler::Default => {
                    let drawn = self.random.borrow_mut().sample(others.len(), self.count);
                    drawn.map(|drawn| drawn.into_iter().map(|place| others[place]).collect())
                }
            });
        }
        if self.sampler == Sampler::FirstN {
            let first: Vec<usize> = all.filter(other).take(self.count).collect();
            return Ok((first.len() == self.count).then_some(first));
        }
        // One more is drawn where the question may be among them.
        let wanted = self.count + usize::from(self.leave_out_question);
        let drawn = self.random.borrow_mut().sample(self.pool.len(), wanted);
        let Some(drawn) = drawn else { return Ok(None) };
        let shown: Vec<usize> = drawn.into_iter().filter(other).take(self.count).collect();
        if shown.len() == self.count {
            return Ok(Some(shown));
        }
        let others: Vec<usize> = all.filter(other).collect();
        let drawn = self.random.borrow_mut().sample(others.len(), self.count);
        Ok(drawn.map(|drawn| drawn.into_iter().map(|place| others[place]).collect()))
    }

    fn group_of(&self, doc: &Doc) -> Result<String, RowError> {
        match &self.group {
            Some(Group::Of(pattern)) => pattern.text_of(&doc.row.fields),
            Some(Group::Row) | None => Ok(format!("{} {}", doc.file, doc.group)),
        }
    }
}
