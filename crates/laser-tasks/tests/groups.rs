//! Group files: many tasks as one.

mod support;

use laser_tasks::{AggregateMetric, Split, Task};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn open(folder: &Path, name: &str) -> Result<Task, String> {
    Task::open(folder.join(name).to_str().unwrap())
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.display()), ""))
}

/// A folder `tasks` with three tasks of 10, 20 and 5 rows, one of them elsewhere in it, and some groups.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let task = |path: &str, name: &str, tag: &str, rows: usize| {
        let data = format!("{}.jsonl", name);
        let lines: String = (0..rows).map(|i| format!("{{\"q\": \"{name} {i}\", \"a\": \"{i}\"}}\n")).collect();
        write(folder.path(), &format!("tasks/{path}/{data}"), &lines);
        let text = format!(
            "include: ../base\ntask: {name}\n{tag}dataset_kwargs: {{data_files: {data}}}\ndescription: '{name}: '\n"
        );
        write(folder.path(), &format!("tasks/{path}/{name}.yaml"), &text);
    };
    write(folder.path(), "tasks/base", "doc_to_text: q\ndoc_to_target: a\n");
    task("own", "one", "tag: few\n", 10);
    task("own", "two", "", 20);
    task("other", "three", "tag: [few, more]\n", 5);
    folder
}

const ALL: &str = "group: all
task:
  - one
  - group: inner
    task: [two]
    aggregate_metric_list: [{metric: acc, weight_by_size: false}]
  - task: three
    target_delimiter: '='
aggregate_metric_list:
  - metric: acc
    filter_list: none
    aggregation: mean
";

#[test]
fn names_are_found_and_examples_know_their_task() {
    let folder = folder();
    write(folder.path(), "tasks/own/all.yaml", ALL);
    let task = open(folder.path(), "tasks/own/all.yaml").unwrap();
    assert_eq!((task.name.as_str(), task.examples.len()), ("all", 35));
    let parts: Vec<_> = task.subtasks.iter().map(|part| (part.name.as_str(), part.examples.clone())).collect();
    assert_eq!(parts, [("one", 0..10), ("two", 10..30), ("three", 30..35)]);
    let third = &task.examples[30];
    assert_eq!((third.id.as_str(), third.prompt.as_str()), ("three/0", "three: three 0"));
    assert_eq!((third.delimiter.as_str(), task.examples[0].delimiter.as_str()), ("=", " "));
    let groups: Vec<_> = task.groups.iter().map(|group| (group.name.as_str(), group.subtasks.join(" "))).collect();
    assert_eq!(groups, [("all", "one two three".to_owned()), ("all::inner", "two".to_owned())]);
    let weighted = AggregateMetric { metric: "acc".into(), filters: Some(vec!["none".into()]), weight_by_size: true };
    assert_eq!(task.groups[0].aggregate, [weighted]);
    assert!(!task.groups[1].aggregate[0].weight_by_size);
    let card = Task::card(folder.path().join("tasks/own/all.yaml").to_str().unwrap()).unwrap();
    assert_eq!((card.task.as_str(), card.subtasks.len(), card.aggregate.len()), ("all", 3, 2));
}

#[test]
fn tags_paths_groups_and_keys_for_all() {
    let folder = folder();
    write(folder.path(), "tasks/own/few.yaml", "group: some\ntask: few\nnum_fewshot: 1\n");
    let task = open(folder.path(), "tasks/own/few.yaml").unwrap();
    // The group's own folder holds one task of the tag: the folder above is not asked.
    assert_eq!(task.subtasks.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["one"]);
    assert!(task.examples[0].prompt.starts_with("one: one ") && task.examples[0].question().start > "one: ".len());
    write(folder.path(), "tasks/g/paths.yaml", "group: paths\ntask: [../own/two.yaml, some, more]\n");
    let task = open(folder.path(), "tasks/g/paths.yaml").unwrap();
    assert_eq!(task.subtasks.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["two", "one", "three"]);
}

#[test]
fn samples_and_splits_are_balanced() {
    let folder = folder();
    write(folder.path(), "tasks/own/all.yaml", ALL);
    let task = open(folder.path(), "tasks/own/all.yaml").unwrap();
    let sizes = |task: &Task| task.subtasks.iter().map(|part| part.examples.len()).collect::<Vec<_>>();
    let sample = task.limit(14, 3).unwrap();
    assert_eq!(sizes(&sample), [4, 8, 2]);
    assert_eq!(sample, task.limit(14, 3).unwrap());
    assert_ne!(sample, task.limit(14, 4).unwrap());
    assert_eq!(sizes(&task.first(6).unwrap()), [6, 6, 5]);
    assert_eq!(task.first(6).unwrap().examples[6].id, "two/0");
    for split in [Split::shuffled(&task, 0.2, 1).unwrap(), Split::first(&task, 0.2).unwrap()] {
        let of = |part: usize| split.validation.iter().filter(|i| task.subtasks[part].examples.contains(i)).count();
        assert_eq!([of(0), of(1), of(2)], [2, 4, 1]);
        assert_eq!(split.validation.len() + split.test.len(), 35);
    }
    // A sample keeps its tasks' prompts with an empty content.
    assert_eq!(sample.subtasks[0].name, "one");
}

#[test]
fn a_limit_that_is_too_small_names_the_smallest_that_is_not() {
    let folder = folder();
    // Pairs in one, threes in the other: a share of 2 of 12 is the first that holds a pair.
    for (name, size) in [("pairs", 2), ("threes", 3)] {
        let rows: String = (0..6).map(|i| format!("{{\"q\": \"{i}\", \"a\": \"x\", \"g\": {}}}\n", i / size)).collect();
        write(folder.path(), &format!("tasks/own/{name}.jsonl"), &rows);
        let text = format!(
            "task: {name}\ndataset_kwargs: {{data_files: {name}.jsonl}}\ndoc_to_text: q\ndoc_to_target: a\ndoc_to_group: g\n"
        );
        write(folder.path(), &format!("tasks/own/{name}.yaml"), &text);
    }
    write(folder.path(), "tasks/own/g.yaml", "group: g\ntask: [pairs, threes]\n");
    let task = open(folder.path(), "tasks/own/g.yaml").unwrap();
    let error = task.limit(2, 0).unwrap_err().to_string();
    assert_eq!(error, "g: a limit of 2 holds no whole group of examples: use at least 3");
    assert!(task.limit(3, 0).is_ok());
}

#[test]
fn groups_that_name_one_another_again_and_again_end() {
    let folder = folder();
    for i in 0..14 {
        let next = format!("n{}.yaml", i + 1);
        let text = format!("group: n{i}\ntask: [{}]\n", [next.as_str(); 20].join(", "));
        write(folder.path(), &format!("tasks/own/n{i}.yaml"), &text);
    }
    write(folder.path(), "tasks/own/n14.yaml", "group: n14\ntask: [one]\n");
    let error = open(folder.path(), "tasks/own/n0.yaml").unwrap_err();
    assert!(error.contains("again and again, than 12000; take some out (LASER_LIMITS=2 allows"), "{error}");
}

#[test]
fn what_a_group_cannot_be_is_said() {
    let folder = folder();
    for (text, expected) in [
        (
            "group: g\ntask: [none]",
            "tasks/own/g.yaml: `task: none` is not supported: no YAML file in the group's folder or below says so, nor in a folder `tasks` above; give a path",
        ),
        ("group: g\ntask: []", "tasks/own/g.yaml: `task: []` is not supported: name the group's tasks"),
        (
            "group: g\ntask: [g]",
            "tasks/own/g.yaml: `group: g` is not supported: groups are in one another too deep; take one out",
        ),
        (
            "group: g\ntask: [one]\naggregate_metric_list: {metric: acc, aggregation: sum}",
            "tasks/own/g.yaml: `aggregate_metric_list.aggregation: sum` is not supported: write `mean`",
        ),
        (
            "group: g\ntask: [{task: one, doc_to_text: !function a.b}]",
            "tasks/own/g.yaml: `doc_to_text`: functions of Python in task files need the Python package: see docs/tasks.md, or write a Jinja template",
        ),
    ] {
        write(folder.path(), "tasks/own/g.yaml", text);
        assert_eq!(open(folder.path(), "tasks/own/g.yaml").unwrap_err(), expected);
    }
}

/// What each task includes is kept by each: a group of little files must not take memory without end.
#[test]
fn a_large_file_that_is_included_again_and_again_is_refused() {
    let folder = folder();
    let names: Vec<String> = (0..3).map(|number| format!("t{number}")).collect();
    // Two and a half megabytes, which each task includes twelve times.
    write(folder.path(), "tasks/own/large", &format!("description: {}\n", "a".repeat(2_500_000)));
    let includes = ["large"; 12].join(", ");
    for name in &names {
        let text = format!("include: [../base, {includes}]\ntask: {name}\ndataset_kwargs: {{data_files: one.jsonl}}\n");
        write(folder.path(), &format!("tasks/own/{name}.yaml"), &text);
    }
    write(folder.path(), "tasks/own/many.yaml", &format!("group: many\ntask: [{}]\n", names.join(", ")));
    let message = open(folder.path(), "tasks/own/many.yaml").unwrap_err();
    assert!(message.contains("have more bytes than 67108864; put what is large into a data file"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}
