//! The prompts with an empty content that contextual calibration asks a model.

use crate::evaluator::Response;
use laser_example::Example;
use laser_run::Record;
use laser_tasks::Task;
use std::collections::HashMap;

/// The different empty prompts of some examples.
pub struct ContentFreePrompts {
    /// Each with its choices, as an example.
    pub examples: Vec<Example>,
    /// Which of them belongs to each example.
    of: Vec<Option<usize>>,
}

impl ContentFreePrompts {
    /// Those of `examples` of a task; there is none for an example without choices.
    pub fn new(task: &Task, examples: &[&Example]) -> Self {
        let mut known: HashMap<(String, &[String]), usize> = HashMap::new();
        let mut all = Self { examples: Vec::new(), of: Vec::with_capacity(examples.len()) };
        for example in examples {
            let (Some(empty), Some(choices)) = (task.content_free(example), example.choices()) else {
                all.of.push(None);
                continue;
            };
            let next = all.examples.len();
            let index = *known.entry((empty.prompt.clone(), choices)).or_insert(next);
            if index == next {
                let id = format!("content-free-{index}");
                all.examples.push(Example { group: id.clone(), id, ..empty });
            }
            all.of.push(Some(index));
        }
        all
    }

    /// Puts what a model said to the empty prompts into the records of the examples; `numbers` are
    /// the examples' numbers, where the records are not of all of them.
    pub fn note(&self, responses: &[Response], records: &mut [Record], numbers: Option<&[usize]>) {
        for (i, record) in records.iter_mut().enumerate() {
            let number = numbers.map_or(Some(i), |numbers| numbers.get(i).copied());
            let prompt = number.and_then(|number| self.of.get(number).copied().flatten());
            let response = prompt.and_then(|index| responses.get(index));
            record.content_free_logprobs = response.and_then(|response| response.choice_logprobs.clone());
        }
    }
}
