//! How many rows go through a layer together.

/// So many tiles of rows of several candidates are worth collecting, for a step of generation or if
/// nothing is generated: the head's matrix is large.
pub const STEP_TILES: usize = 4;

/// `rows` in tiles of like size, at most about `together`, none of which starts with a row that
/// `continues` the one before.
pub fn tiles<T: Copy>(rows: &[T], together: usize, continues: impl Fn(T) -> bool) -> Vec<&[T]> {
    let (mut tiles, mut rest) = (Vec::new(), rows);
    let size = rows.len().div_ceil(rows.len().div_ceil(together.max(1)).max(1));
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while end < rest.len() && continues(rest[end]) {
            end += 1;
        }
        let (tile, behind) = rest.split_at(end);
        tiles.push(tile);
        rest = behind;
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_of_like_size_and_cut_no_sequence() {
        let rows: Vec<usize> = (0..1124).collect();
        let lengths = |tiles: Vec<&[usize]>| tiles.iter().map(|tile| tile.len()).collect::<Vec<_>>();
        assert_eq!(lengths(tiles(&rows, 1024, |_| false)), [562, 562]);
        assert_eq!(lengths(tiles(&rows, 1024, |row| row % 600 != 0)), [600, 524]);
        assert!(tiles(&[0usize; 0], 1024, |_| false).is_empty());
    }
}
