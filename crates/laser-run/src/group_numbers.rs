//! Examples by number of their group.

use laser_example::Example;
use std::collections::HashMap;
use std::hash::Hash;

/// The number of each example's group, in order of first appearance: what the statistics call a
/// cluster.
pub fn group_numbers(examples: &[&Example]) -> Vec<usize> {
    numbered(examples.iter().map(|example| example.group.as_str()))
}

/// Each name's number, in order of first appearance.
pub(crate) fn numbered<N: Eq + Hash>(names: impl Iterator<Item = N>) -> Vec<usize> {
    let mut numbers = HashMap::new();
    names
        .map(|name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        })
        .collect()
}
