//! How many rows go through a layer together.

/// Rows that go through the blocks together: enough for products near the machine's peak, few enough that a block's
/// intermediate rows stay in the processor's cache.
pub const TILE_ROWS: usize = 1024;

/// Rows of several candidates that are worth collecting, for a step of generation or if nothing is generated: the head's matrix
/// is large.
pub const STEP_ROWS: usize = 4096;

/// `rows` in tiles of like size, at most about [`TILE_ROWS`], none of which starts with a row that `continues` the one before.
pub fn tiles<T: Copy>(rows: &[T], continues: impl Fn(T) -> bool) -> Vec<&[T]> {
    let (mut tiles, mut rest) = (Vec::new(), rows);
    let size = rows.len().div_ceil(rows.len().div_ceil(TILE_ROWS).max(1));
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
        let rows: Vec<usize> = (0..TILE_ROWS + 100).collect();
        let lengths = |tiles: Vec<&[usize]>| tiles.iter().map(|tile| tile.len()).collect::<Vec<_>>();
        assert_eq!(lengths(tiles(&rows, |_| false)), [562, 562]);
        assert_eq!(lengths(tiles(&rows, |row| row % 600 != 0)), [600, 524]);
        assert!(tiles(&[0usize; 0], |_| false).is_empty());
    }
}
