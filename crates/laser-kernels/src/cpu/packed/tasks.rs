//! How a product is cut into tasks, of which some rows have other weights than others.

use super::micro;
use std::ops::Range;

/// Rows that go by a panel of weights while it stays in the second cache.
const GROUP: usize = 256;
/// Below this many floating-point operations a product is not worth a second thread.
const PARALLEL_FLOPS: usize = 1_000_000;
/// What a task takes at least.
const TASK_FLOPS: usize = 2_000_000;

/// Some rows of one matrix, and some of its panels.
#[derive(Debug)]
pub struct Task<'m, M> {
    pub matrix: &'m M,
    pub rows: Vec<Range<usize>>,
    pub panels: Range<usize>,
}

/// The tasks of matrices of one shape, of so many panels, each with the ranges of rows that it is for; and whether they are
/// worth a second thread. A row takes so many floating-point operations.
pub fn tasks<'m, M>(weights: &[(&'m M, &[Range<usize>])], panels: usize, row_flops: usize) -> (Vec<Task<'m, M>>, bool) {
    let (mut tasks, mut flops) = (Vec::new(), 0);
    for &(matrix, ranges) in weights {
        for rows in groups(ranges) {
            let of_group = row_flops * rows.iter().map(Range::len).sum::<usize>();
            let pieces = (of_group / TASK_FLOPS).clamp(1, panels.max(1));
            let piece = |piece: usize| panels * piece / pieces..panels * (piece + 1) / pieces;
            tasks.extend((0..pieces).map(|number| Task { matrix, rows: rows.clone(), panels: piece(number) }));
            flops += of_group;
        }
    }
    (tasks, flops >= PARALLEL_FLOPS)
}

/// The rows of some ranges in groups of like size, so that none is a sliver.
fn groups(ranges: &[Range<usize>]) -> Vec<Vec<Range<usize>>> {
    let rows: usize = ranges.iter().map(Range::len).sum();
    let size = rows.div_ceil(rows.div_ceil(GROUP).max(1)).next_multiple_of(micro::ROWS).max(1);
    let (mut groups, mut group, mut taken) = (Vec::new(), Vec::new(), 0);
    for range in ranges {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + size - taken);
            group.push(start..end);
            taken += end - start;
            start = end;
            if taken == size {
                groups.push(std::mem::take(&mut group));
                taken = 0;
            }
        }
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
    fn groups_hold_every_row_once() {
        assert_eq!(groups(&[0..10, 20..30]), [[0..10, 20..30]]);
        // 600 rows are three groups of 200.
        let of_two = groups(&[0..250, 300..650]);
        assert_eq!(of_two, [vec![0..200], vec![200..250, 300..450], vec![450..650]]);
        assert!(groups(&[]).is_empty() && groups(&[3..3]).is_empty());
    }

    #[test]
    fn tasks_hold_every_row_with_every_panel_once() {
        let (tasks, parallel) = tasks(&[(&'a', &[0..3, 9..300][..]), (&'b', &[3..9][..])], 7, 1_000_000);
        let mut seen = vec![[None; 7]; 300];
        for task in &tasks {
            for row in task.rows.iter().cloned().flatten() {
                for panel in task.panels.clone() {
                    assert!(seen[row][panel].replace(*task.matrix).is_none());
                }
            }
        }
        assert!(parallel && (0..300).all(|row| seen[row] == [Some(if (3..9).contains(&row) { 'b' } else { 'a' }); 7]));
    }
}
