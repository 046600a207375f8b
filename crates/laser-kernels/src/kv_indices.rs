//! Which rows of a key/value cache each query sees.

use std::ops::Range;

/// Which rows of a key/value cache each query attends to, in order of position, its own row last.
///
/// Rows need not be laid out as rectangles: one call serves sequences of any lengths, shared
/// prefixes and single new tokens, without padding and without a mask.
#[derive(Debug, Clone, Default)]
pub struct KvIndices {
    /// Query `i` owns `rows[ends[i - 1]..ends[i]]`.
    ends: Vec<usize>,
    rows: Vec<u32>,
}

impl KvIndices {
    /// Adds a query that sees `rows`.
    pub fn push(&mut self, rows: impl IntoIterator<Item = u32>) {
        self.rows.extend(rows);
        self.ends.push(self.rows.len());
    }

    /// The number of queries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no query.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The part that concerns the queries `range`.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let start = range.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let ends: Vec<usize> = self.ends[range].iter().map(|end| end - start).collect();
        let end = start + ends.last().copied().unwrap_or(0);
        Self { ends, rows: self.rows[start..end].to_vec() }
    }

    /// The queries with these numbers.
    pub fn select(&self, queries: &[u32]) -> Self {
        let mut selected = Self::default();
        for &query in queries {
            selected.push(self.of(query as usize).iter().copied());
        }
        selected
    }

    /// Each query sees only the last `window` of its rows.
    pub fn nearest(&self, window: usize) -> Self {
        let mut nearest = Self::default();
        for query in 0..self.len() {
            let rows = self.of(query);
            nearest.push(rows[rows.len().saturating_sub(window)..].iter().copied());
        }
        nearest
    }

    /// The rows that a query sees.
    pub fn of(&self, query: usize) -> &[u32] {
        let start = query.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[start..self.ends[query]]
    }

    /// Where each query's rows end in [`Self::rows`].
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// The rows of all queries, one query after the other.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The largest number of rows that a query sees.
    pub fn longest(&self) -> usize {
        (0..self.len()).map(|query| self.of(query).len()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(queries: &[&[u32]]) -> KvIndices {
        let mut indices = KvIndices::default();
        queries.iter().for_each(|rows| indices.push(rows.iter().copied()));
        indices
    }

    #[test]
    fn parts_keep_what_their_queries_see() {
        let all = of(&[&[0], &[0, 1], &[], &[4, 2, 3]]);
        let seen = |indices: &KvIndices| (0..indices.len()).map(|i| indices.of(i).to_vec()).collect::<Vec<_>>();
        assert_eq!(seen(&all.slice(1..3)), [vec![0, 1], vec![]]);
        assert_eq!(seen(&all.slice(3..4)), [vec![4, 2, 3]]);
        assert_eq!(seen(&all.select(&[3, 0])), [vec![4, 2, 3], vec![0]]);
        assert_eq!(seen(&all.nearest(2)), [vec![0], vec![0, 1], vec![], vec![2, 3]]);
        assert_eq!((all.longest(), all.len(), all.ends().len(), all.rows().len()), (3, 4, 4, 6));
    }
}
