//! Which candidates go through the layers together.

use std::ops::Range;

/// Candidates go through layers in vain, so that more of them go together, at most one for so many
/// that they have to.
const WASTE: usize = 4;

/// Candidates, given by their first edited layers in rising order, in runs that go through the
/// layers together, from the lowest of these on. Those of one layer go together, at most `most`;
/// where these are fewer than `few`, some of the next layers join them, as many as that leaves most
/// of what they compute not in vain.
pub fn groups(first: &[usize], layers: usize, few: usize, most: usize) -> Vec<Range<usize>> {
    let (mut groups, mut group, mut needed, mut in_vain) = (Vec::new(), 0..0, 0, 0);
    for (number, &layer) in first.iter().enumerate() {
        let (needs, wastes) = (layers - layer, layer - first[group.start]);
        let pays = group.len() < few && (in_vain + wastes) * WASTE <= needed + needs;
        if group.len() == most || !group.is_empty() && wastes > 0 && !pays {
            groups.push(std::mem::replace(&mut group, number..number));
            (needed, in_vain) = (0, 0);
        } else {
            in_vain += wastes;
        }
        needed += needs;
        group.end = number + 1;
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_of_neighbouring_layers_go_together() {
        assert_eq!(groups(&[4, 4, 4], 30, 8, 2), [0..2, 2..3]);
        assert_eq!(groups(&[4, 6, 9, 11], 30, 8, 10), [0..4]);
        assert_eq!(groups(&[4, 6, 9, 11], 30, 2, 10), [0..2, 2..4]);
        // With enough of its own layer a group takes no more of another.
        let many: Vec<usize> = [0; 5].into_iter().chain([20; 1000]).collect();
        assert_eq!(groups(&many, 30, 8, usize::MAX), [0..7, 7..1005]);
        assert_eq!(groups(&[4, 4, 4, 9, 9], 30, 2, 10), [0..3, 3..5]);
        // One layer in vain where one is needed is too much.
        assert_eq!(groups(&[0, 1, 28, 29, 30], 30, 8, 10), [0..2, 2..3, 3..4, 4..5]);
        assert!(groups(&[], 30, 8, 10).is_empty());
    }
}
