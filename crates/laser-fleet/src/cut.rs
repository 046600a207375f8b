//! Into which pieces work is cut.

use std::ops::Range;

/// So many pieces for each worker: a worker that is slow or late then holds up the others little.
const PIECES: usize = 4;

/// A piece of a candidate's work has so many examples at least: fewer make poor products.
const EXAMPLES: usize = 8;

/// Some candidates, which share their first edited layer, on some examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub layer: usize,
    /// Their numbers.
    pub candidates: Vec<usize>,
    pub examples: Range<usize>,
    /// How many passes of an example through a layer it takes.
    pub size: f64,
}

/// How many passes of an example through a layer candidates of one first edited layer take together: the layers below are gone
/// through once for all.
fn passes(layers: usize, first: usize, candidates: usize) -> usize {
    first + candidates * (layers - first.min(layers) + 1)
}

/// Cuts the work of scoring candidates, of which `first` has the first edited layers in a model of `layers`, on `examples` for
/// `workers`: by layers, then by candidates in their order, then by examples. The largest come first.
pub fn cut(layers: usize, first: &[usize], examples: usize, workers: usize) -> Vec<Piece> {
    let mut numbers: Vec<usize> = (0..first.len()).collect();
    numbers.sort_by_key(|&number| first[number]);
    let groups: Vec<&[usize]> = numbers.chunk_by(|&a, &b| first[a] == first[b]).collect();
    let all: usize = groups.iter().map(|group| passes(layers, first[group[0]], group.len()) * examples).sum();
    let most = (all as f64 / (PIECES * workers.max(1)) as f64).max(1.0);
    let mut pieces = Vec::new();
    for group in groups {
        let layer = first[group[0]];
        let wanted = (passes(layers, layer, group.len()) as f64 * examples as f64 / most).ceil() as usize;
        let parts = wanted.clamp(1, group.len());
        // Where there are fewer candidates than pieces, each candidate is cut by examples.
        let ranges = wanted.div_ceil(parts).clamp(1, (examples / EXAMPLES).max(1));
        for part in even(group.len(), parts) {
            for examples in even(examples, ranges) {
                let candidates = group[part.clone()].to_vec();
                let size = (passes(layers, layer, candidates.len()) * examples.len()) as f64;
                pieces.push(Piece { layer, candidates, examples, size });
            }
        }
    }
    pieces.sort_by(|a, b| b.size.total_cmp(&a.size));
    pieces
}

/// `0..n` in `parts` ranges of nearly the same length.
pub fn even(n: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    (0..parts).map(move |part| n * part / parts..n * (part + 1) / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every candidate is on every example once.
    fn check(layers: usize, first: &[usize], examples: usize, workers: usize) -> Vec<Piece> {
        let pieces = cut(layers, first, examples, workers);
        let mut seen = vec![vec![0; examples]; first.len()];
        for piece in &pieces {
            assert!(!piece.candidates.is_empty() && piece.candidates.iter().all(|&it| first[it] == piece.layer));
            for &candidate in &piece.candidates {
                piece.examples.clone().for_each(|example| seen[candidate][example] += 1);
            }
        }
        assert!(seen.iter().flatten().all(|&times| times == 1));
        pieces
    }

    #[test]
    fn every_candidate_is_scored_once_on_every_example() {
        let grid: Vec<usize> = (0..30).flat_map(|layer| vec![layer; 49]).collect();
        for workers in [0, 1, 2, 8, 64, 512] {
            let pieces = check(30, &grid, 200, workers);
            let all: f64 = pieces.iter().map(|piece| piece.size).sum();
            let largest = pieces[0].size;
            assert!(largest <= all / workers.max(1) as f64 * 1.01, "{workers}: {largest} of {all}");
        }
        // The unedited model alone, on little and on much.
        assert_eq!(check(30, &[30], 5, 8).len(), 1);
        assert_eq!(check(30, &[30], 200, 8).len(), 25);
        check(30, &[30, 3, 3, 29], 7, 3);
        assert_eq!(check(30, &[], 7, 3), []);
        assert_eq!(check(30, &[1], 0, 3).len(), 1);
    }
}
