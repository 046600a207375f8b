//! Solved examples before the question (`num_fewshot`), the same that lm-evaluation-harness takes.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use laser_template::Environment;
use serde_json::{Map, Value as Json};

use super::docs::Doc;
use super::python_random::PythonRandom;
use super::solved::SolvedReader;
use super::task_config::{Config, Sampler};
use crate::bad_rows::BadRows;
use crate::template::FieldOrTemplate;
use crate::{RowError, TaskError, YamlError};
use laser_example::Dialogue;

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
    by_group: OnceCell<HashMap<String, Vec<usize>>>,
    by_row: OnceCell<HashMap<&'a Map<String, Json>, Vec<usize>>>,
    /// What has been read of the pool.
    solved: RefCell<HashMap<usize, Rc<Dialogue>>>,
    /// Rows of the pool that cannot be used, by their places.
    unusable: RefCell<BTreeMap<usize, TaskError>>,
}

enum Group<'a> {
    /// The row that they were taken from.
    Row,
    Of(FieldOrTemplate<'a>),
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
            Some(text) => Some(Group::Of(FieldOrTemplate::value(engine, fields, "doc_to_group", text)?)),
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
            by_group: OnceCell::new(),
            by_row: OnceCell::new(),
            solved: RefCell::default(),
            unusable: RefCell::default(),
        })
    }

    /// Whether a question can be among the examples shown before it, if they are of one split.
    pub fn may_show_question(&self) -> bool {
        self.count > 0 && !self.leave_out_question && self.group.is_none()
    }

    /// The solved examples before `doc`; to be called for one row after the other. None where too
    /// few are left. Where bad rows are left out, others are shown in their place.
    pub fn before(&self, doc: &Doc, bad: &BadRows) -> Result<Option<Dialogue>, TaskError> {
        let mut shown = Dialogue::default();
        if self.count == 0 {
            return Ok(Some(shown));
        }
        loop {
            let Some(places) = self.places(doc, bad)? else { return Ok(None) };
            let solved = places.iter().map(|&place| self.solved(place, bad)).collect::<Result<Option<Vec<_>>, _>>()?;
            if let Some(solved) = solved {
                solved.iter().for_each(|dialogue| shown.append(dialogue));
                return Ok(Some(shown));
            }
        }
    }

    /// What was left out of the pool, by place.
    pub fn unusable(self) -> BTreeMap<usize, TaskError> {
        self.unusable.into_inner()
    }

    /// The solved example of a row of the pool; none where it cannot be used.
    fn solved(&self, place: usize, bad: &BadRows) -> Result<Option<Rc<Dialogue>>, TaskError> {
        if let Some(known) = self.solved.borrow().get(&place) {
            return Ok(Some(known.clone()));
        }
        let solved = self.used(place, self.reader.dialogue(&self.pool[place]), bad)?.map(Rc::new);
        if let Some(solved) = &solved {
            self.solved.borrow_mut().insert(place, solved.clone());
        }
        Ok(solved)
    }

    /// What a row of the pool gave; none where it is left out.
    fn used<T>(&self, place: usize, found: Result<T, RowError>, bad: &BadRows) -> Result<Option<T>, TaskError> {
        match found.map_err(|wrong| self.pool[place].at(wrong)) {
            Err(error) if bad.are_left_out() => {
                self.unusable.borrow_mut().entry(place).or_insert(error);
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    /// Which rows of the pool are shown.
    fn places(&self, doc: &Doc, bad: &BadRows) -> Result<Option<Vec<usize>>, TaskError> {
        let hidden = self.hidden(doc, bad)?;
        let others = self.pool.len() - hidden.len();
        if self.sampler == Sampler::FirstN {
            return Ok(
                (others >= self.count).then(|| (0..self.count).map(|number| nth_other(number, &hidden)).collect())
            );
        }
        let mut random = self.random.borrow_mut();
        if self.group.is_none() {
            // One more is drawn where the question may be among them.
            let wanted = self.count.saturating_add(usize::from(self.leave_out_question));
            let Some(drawn) = random.sample(self.pool.len(), wanted) else { return Ok(None) };
            let seen = drawn.into_iter().filter(|place| hidden.binary_search(place).is_err());
            let seen: Vec<usize> = seen.take(self.count).collect();
            if seen.len() == self.count {
                return Ok(Some(seen));
            }
        }
        let drawn = random.sample(others, self.count);
        Ok(drawn.map(|drawn| drawn.into_iter().map(|number| nth_other(number, &hidden)).collect()))
    }

    /// The places that are not shown before a question, ascending: its own, those of its
    /// paraphrases, and those of rows that cannot be used.
    fn hidden(&self, doc: &Doc, bad: &BadRows) -> Result<Vec<usize>, TaskError> {
        let mut hidden = Vec::new();
        if self.group.is_some() {
            let group = self.group_of(doc).map_err(|wrong| doc.at(wrong))?;
            hidden.extend(self.by_group(bad)?.get(&group).into_iter().flatten());
        }
        if self.leave_out_question {
            let by_row = self.by_row.get_or_init(|| places_by(self.pool.iter().map(|doc| Some(&doc.row.fields))));
            hidden.extend(by_row.get(&doc.row.fields).into_iter().flatten());
        }
        hidden.extend(self.unusable.borrow().keys());
        hidden.sort_unstable();
        hidden.dedup();
        Ok(hidden)
    }

    fn by_group(&self, bad: &BadRows) -> Result<&HashMap<String, Vec<usize>>, TaskError> {
        if let Some(known) = self.by_group.get() {
            return Ok(known);
        }
        let group = |(place, doc): (usize, &Doc)| self.used(place, self.group_of(doc), bad);
        let groups = self.pool.iter().enumerate().map(group).collect::<Result<Vec<_>, _>>()?;
        Ok(self.by_group.get_or_init(|| places_by(groups)))
    }

    fn group_of(&self, doc: &Doc) -> Result<String, RowError> {
        match &self.group {
            Some(Group::Of(pattern)) => pattern.text_of(&doc.row.fields),
            Some(Group::Row) | None => Ok(format!("{} {}", doc.file, doc.group)),
        }
    }
}

/// The places of equal keys, ascending.
fn places_by<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = Option<K>>) -> HashMap<K, Vec<usize>> {
    let mut places: HashMap<K, Vec<usize>> = HashMap::new();
    for (place, key) in keys.into_iter().enumerate() {
        if let Some(key) = key {
            places.entry(key).or_default().push(place);
        }
    }
    places
}

/// Number `number` of the places that are not `hidden`, which are ascending.
fn nth_other(number: usize, hidden: &[usize]) -> usize {
    hidden.iter().fold(number, |place, &hidden| if hidden <= place { place + 1 } else { place })
}
