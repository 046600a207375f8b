//! The prompts with an empty content that contextual calibration asks a model.

use crate::Result;
use crate::engine::Response;
use crate::record::Record;
use laser_tasks::{Example, Task};
use std::collections::HashMap;

/// The different empty prompts of some examples.
pub struct Blanks {
    /// Each with its choices, as an example.
    pub examples: Vec<Example>,
    /// Which of them belongs to each example.
    of: Vec<Option<usize>>,
}

impl Blanks {
    /// Those of `examples` of a task; there is none for an example without choices.
    pub fn new(task: &Task, examples: &[&Example]) -> Result<Self> {
        let mut known: HashMap<(String, &[String]), usize> = HashMap::new();
        let mut blanks = Self { examples: Vec::new(), of: Vec::with_capacity(examples.len()) };
        for example in examples {
            let (Some(prompt), Some(choices)) = (task.blank_prompt(example), example.choices()) else {
                blanks.of.push(None);
                continue;
            };
            let next = blanks.examples.len();
            let index = *known.entry((prompt.clone(), choices)).or_insert(next);
            if index == next {
                let blank = Example::new(format!("blank-{index}"), None, prompt, example.target.clone());
                let blank = blank
                    .map_err(|problem| crate::Error::Blank { id: example.id.clone(), problem: Box::new(problem) })?;
                blanks.examples.push(Example { delimiter: example.delimiter.clone(), ..blank });
            }
            blanks.of.push(Some(index));
        }
        Ok(blanks)
    }

    /// Puts what a model said to the empty prompts into the records of the examples.
    pub fn note(&self, responses: &[Response], records: &mut [Record]) {
        for (record, blank) in records.iter_mut().zip(&self.of) {
            let response = blank.and_then(|index| responses.get(index));
            record.blank_logprobs = response.and_then(|response| response.choice_logprobs.clone());
        }
    }
}
