//! The tasks inside the program.

use std::collections::HashMap;

use laser_example::Target;
use laser_tasks::Task;

#[test]
fn every_builtin_says_what_it_is() {
    for name in Task::builtin_names() {
        let card = Task::card(name).unwrap();
        assert_eq!(card.task, name);
        assert!(card.about.is_some() && card.examples.is_some() && card.licence.is_some() && card.source.is_some());
        assert!(card.prompt.is_some() && card.answer.is_some());
    }
    assert!(Task::card("none").is_err());
}

#[test]
fn a_builtin_is_what_its_files_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tasks/facts.yaml");
    assert_eq!(Task::open("facts").unwrap(), Task::open(path).unwrap());
}

#[test]
fn facts_has_three_prompts_for_each_of_some_500_facts() {
    let task = Task::open("facts").unwrap();
    let mut answers: HashMap<&str, Vec<&str>> = HashMap::new();
    for example in &task.examples {
        assert!(matches!(&example.target, Target::Generate(generation) if generation.max_new_tokens == 10));
        assert_eq!(example.prompt, example.prompt.trim(), "{}", example.prompt);
        answers.entry(&example.group).or_default().push(example.answer());
    }
    assert!(answers.len() >= 450, "{}", answers.len());
    for (group, answers) in answers {
        assert_eq!(answers.len(), 3, "{group}");
        assert!(answers.iter().all(|&answer| answer == answers[0]), "{group}");
    }
}
