//! Samples and splits: nothing lost, nothing twice, groups whole, the same for the same seed.

use std::collections::HashSet;

use laser_example::{Example, Target};
use laser_tasks::{Split, Task};
use proptest::prelude::*;

/// A task whose example `i` is in the group `groups[i]`.
fn task(groups: &[u8]) -> Task {
    let examples = groups.iter().enumerate().map(|(i, group)| {
        let target = Target::generate(vec!["a".into()], 10).unwrap();
        Example::new(i.to_string(), Some(format!("g{group}")), "p".into(), target).unwrap()
    });
    Task::new("t", examples.collect()).unwrap()
}

fn ids(task: &Task) -> Vec<usize> {
    let ids = task.examples.iter();
    ids.map(|example| example.id.parse().unwrap()).collect()
}

fn groups<'a>(task: &'a Task, indices: &[usize]) -> HashSet<&'a str> {
    let groups = indices.iter();
    groups.map(|&i| task.examples[i].group.as_str()).collect()
}

#[test]
fn the_numbers_are_pinned() {
    let task = task(&[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8, 9, 9]);
    assert_eq!(ids(&task.limit(7, 1).unwrap()), LIMIT_7_SEED_1);
    assert_eq!(Split::shuffled(&task, 0.2, 1).unwrap().validation, VALIDATION_SEED_1);
    assert_eq!(Split::shuffled(&task, 0.2, 2).unwrap().validation, VALIDATION_SEED_2);
    assert_eq!(Split::first(&task, 0.2).unwrap().validation, [0, 1, 2, 3]);
}

// From an independent program in Python that follows the rules in the documentation.
const LIMIT_7_SEED_1: &[usize] = &[6, 7, 8, 12, 13, 15, 17];
const VALIDATION_SEED_1: &[usize] = &[12, 13, 15, 17];
const VALIDATION_SEED_2: &[usize] = &[15, 17, 18, 19];

#[test]
fn what_is_too_small_is_refused() {
    let one_group = task(&[0, 0, 0]);
    assert_eq!(
        one_group.limit(2, 0).unwrap_err().to_string(),
        "t: a limit of 2 holds no whole group of examples: use at least 3"
    );
    assert_eq!(
        Split::shuffled(&one_group, 0.2, 0).unwrap_err().to_string(),
        "t: cannot be split into validation and test: it has 1 of the at least 2 groups of examples needed: add some, or raise --limit"
    );
    assert_eq!(Split::first(&one_group, 0.2).unwrap().validation, [0]);
    assert_eq!(
        Split::first(&task(&[0]), 0.2).unwrap_err().to_string(),
        "t: cannot be split into validation and test: it has 1 of the at least 2 examples needed: add some, or raise --limit"
    );
    for fraction in [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY] {
        let error = Split::first(&one_group, fraction).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("a validation fraction of {fraction} leaves a part empty: use one between 0 and 1, such as 0.2")
        );
    }
    assert_eq!(
        Task::new("t", vec![]).unwrap_err().to_string(),
        "t: no examples: write at least one row, a JSON object on one line"
    );
    let twice = vec![one_group.examples[0].clone(), one_group.examples[0].clone()];
    assert_eq!(
        Task::new("t", twice).unwrap_err().to_string(),
        "t: the id `0` is there twice: give every example its own"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..laser_testing::cases() })]

    #[test]
    fn a_split_is_a_partition(
        groups_of in prop::collection::vec(0u8..12, 2..60),
        fraction in 0.001f64..0.999,
        seed in any::<u64>(),
    ) {
        let task = task(&groups_of);
        let n = task.examples.len();
        let distinct = groups_of.iter().collect::<HashSet<_>>().len();
        prop_assume!(distinct >= 2);
        let shuffled = Split::shuffled(&task, fraction, seed).unwrap();
        let first = Split::first(&task, fraction).unwrap();
        for split in [&shuffled, &first] {
            prop_assert!(!split.validation.is_empty() && !split.test.is_empty());
            prop_assert!(split.validation.is_sorted() && split.test.is_sorted());
            let mut all = [split.validation.clone(), split.test.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
        let in_validation = groups(&task, &shuffled.validation);
        prop_assert!(in_validation.is_disjoint(&groups(&task, &shuffled.test)));
        prop_assert_eq!(&shuffled, &Split::shuffled(&task, fraction, seed).unwrap());
        let size = (fraction * n as f64 + 1e-9).floor().clamp(1.0, n as f64 - 1.0) as usize;
        prop_assert!(shuffled.validation.len() <= size || in_validation.len() == 1);
        prop_assert_eq!(first.validation.len(), size);
    }

    #[test]
    fn a_sample_keeps_groups_whole(
        groups_of in prop::collection::vec(0u8..12, 1..60),
        n in 0usize..70,
        seed in any::<u64>(),
    ) {
        let task = task(&groups_of);
        match task.limit(n, seed) {
            Err(_) => {
                let smallest = (0..12).map(|g| groups_of.iter().filter(|&&x| x == g).count()).filter(|&c| c > 0).min();
                prop_assert!(n < smallest.unwrap());
            }
            Ok(sample) => {
                let kept = ids(&sample);
                prop_assert!(!kept.is_empty() && kept.len() <= n && kept.is_sorted());
                if n >= groups_of.len() {
                    prop_assert_eq!(&sample, &task);
                }
                let left: Vec<usize> = (0..groups_of.len()).filter(|i| !kept.contains(i)).collect();
                prop_assert!(groups(&task, &kept).is_disjoint(&groups(&task, &left)));
                prop_assert_eq!(&sample, &task.limit(n, seed).unwrap());
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Task::from_jsonl("t", &bytes);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in r#"(\{("(prompt|answer|answers|choices|id|group)": ?("a"|""|-?1|1e3|null|\["a", ?"b"\]|\[\]|true),? ?){0,5}\}?\n?){0,3}"#) {
        if let Err(error) = Task::from_jsonl("t", text.as_bytes()) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}
