//! The baseline of one answer for every example.

use laser_example::{Example, Matching, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// An answer given to every example, without a look at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Constant {
    /// The answer.
    pub answer: String,
    /// The share of the examples for which it is right, by the task's own rule.
    pub accuracy: f64,
}

impl Constant {
    /// The most frequent of the right answers; of equals, the one that occurs first. None for no examples.
    pub fn most_frequent(examples: &[&Example]) -> Option<Self> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut order = Vec::new();
        for example in examples {
            let mut seen: HashSet<String> = HashSet::new();
            for answer in answers(example) {
                let key = key(example, answer);
                if seen.insert(key.clone()) {
                    let count = counts.entry(key.clone()).or_insert(0);
                    if *count == 0 {
                        order.push((key.clone(), answer));
                    }
                    *count += 1;
                }
            }
        }
        let best =
            order.into_iter().reduce(|best, next| if counts[&next.0] > counts[&best.0] { next } else { best })?;
        Some(Self::of(best.1, examples))
    }

    /// How often `answer` is right.
    pub fn of(answer: &str, examples: &[&Example]) -> Self {
        let right = |example: &&&Example| match &example.target {
            // A pattern that gives up on an answer does not find it.
            Target::Generate(generation) => generation.is_correct(answer).unwrap_or(false),
            _ => answers(example).contains(&answer),
        };
        let accuracy = examples.iter().filter(right).count() as f64 / examples.len() as f64;
        Self { answer: answer.to_owned(), accuracy }
    }
}

/// The texts that count as right.
fn answers(example: &Example) -> Vec<&str> {
    match &example.target {
        Target::Generate(generation) => generation.answers.iter().map(String::as_str).collect(),
        Target::Choose(choice) => {
            let right = (0..choice.choices.len()).filter(|&index| choice.is_right(index));
            right.map(|index| choice.choices[index].as_str()).collect()
        }
        Target::LogLikelihood { answer } => vec![answer],
        Target::Rolling { .. } | Target::Episode { .. } => Vec::new(),
    }
}

/// What two answers share that the rule of their example takes for the same.
fn key(example: &Example, answer: &str) -> String {
    match &example.target {
        Target::Generate(generation) => match &generation.matching {
            Matching::Exact(rule) if !rule.ignore_case => answer.to_owned(),
            _ => answer.to_lowercase(),
        },
        _ => answer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(answers: &[&[&str]], exact: bool) -> Vec<Example> {
        let example = |(i, answers): (usize, &&[&str])| {
            let answers = answers.iter().map(|&answer| answer.to_owned()).collect();
            let Target::Generate(plain) = Target::generate(answers, 5).unwrap() else { panic!("no generation") };
            let matching = if exact { Matching::Exact(Default::default()) } else { plain.matching };
            let target = Target::Generate(laser_example::Generation { matching, ..plain });
            Example::new(i.to_string(), None, "p".into(), target).unwrap()
        };
        answers.iter().enumerate().map(example).collect()
    }

    #[test]
    fn the_tasks_own_rule_decides() {
        let answers: [&[&str]; 5] = [&["Yes"], &["yes", "YES"], &["no"], &["No way"], &["yes"]];
        let found = |exact| {
            let examples = examples(&answers, exact);
            Constant::most_frequent(&examples.iter().collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(found(false), Constant { answer: "Yes".into(), accuracy: 0.6 });
        assert_eq!(found(true), Constant { answer: "yes".into(), accuracy: 0.4 });
        // A longer constant holds the shorter answer.
        let examples = examples(&answers, false);
        assert_eq!(Constant::of("no way", &examples.iter().collect::<Vec<_>>()).accuracy, 0.4);
        assert_eq!(Constant::most_frequent(&[]), None);
        // In no time to speak of: some rows have very many answers.
        let many: Vec<String> = (0..200_000).map(|number| format!("answer {number}")).collect();
        let examples = self::examples(&[&many.iter().map(String::as_str).collect::<Vec<_>>()], false);
        assert_eq!(Constant::most_frequent(&[&examples[0]]).unwrap().answer, "answer 0");
    }
}
