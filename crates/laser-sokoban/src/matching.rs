//! The cheapest way to give each box a target of its own.

use crate::board::MAX_BOXES;
use crate::push_distances::UNREACHABLE;

/// The least sum of `cost(box, target)` over all one-to-one assignments of `count` boxes to as many
/// targets; none if each has an unreachable pair.
///
/// Dynamic programming over sets of targets: 2^n n steps, for the few boxes of a level.
pub(crate) fn cheapest_matching(count: usize, cost: impl Fn(usize, usize) -> u16) -> Option<u32> {
    debug_assert!(count <= MAX_BOXES);
    let mut best = [u32::MAX; 1 << MAX_BOXES];
    best[0] = 0;
    let all = (1usize << count) - 1;
    for taken in 0..all {
        let sum = best[taken];
        if sum == u32::MAX {
            continue;
        }
        let next_box = taken.count_ones() as usize;
        for target in 0..count {
            let with = taken | 1 << target;
            let cost = cost(next_box, target);
            if with != taken && cost != UNREACHABLE {
                best[with] = best[with].min(sum + u32::from(cost));
            }
        }
    }
    Some(best[all]).filter(|&sum| sum != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_assignment_is_found() {
        let of = |costs: &[&[u16]]| cheapest_matching(costs.len(), |a, b| costs[a][b]);
        assert_eq!(of(&[&[1, 2], &[1, 5]]), Some(3));
        assert_eq!(of(&[&[4, UNREACHABLE], &[1, UNREACHABLE]]), None);
        assert_eq!(of(&[&[9, 2, 7], &[6, 4, 3], &[5, 8, 1]]), Some(9));
    }
}
