//! Sets of cells of the board, as bits.

/// Cells in a row and in a column.
pub const SIDE: usize = 10;
/// Cells of the board. Cell `SIDE * row + column` is numbered row by row.
pub const CELLS: usize = SIDE * SIDE;

const ALL: u128 = (1 << CELLS) - 1;
const LEFT_COLUMN: u128 = {
    let (mut bits, mut row) = (0u128, 0);
    while row < SIDE {
        bits |= 1 << (SIDE * row);
        row += 1;
    }
    bits
};
const RIGHT_COLUMN: u128 = LEFT_COLUMN << (SIDE - 1);

/// A set of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Cells(u128);

impl Cells {
    /// No cell.
    pub const EMPTY: Self = Self(0);
    /// The outermost rows and columns.
    pub const RING: Self = {
        let row = (1 << SIDE) - 1;
        Self(LEFT_COLUMN | RIGHT_COLUMN | row | row << (CELLS - SIDE))
    };

    /// One cell.
    pub const fn one(cell: u8) -> Self {
        Self(1 << cell)
    }

    /// Whether `cell` is in the set.
    pub const fn has(self, cell: u8) -> bool {
        self.0 >> cell & 1 == 1
    }

    /// The set with `cell`.
    pub const fn with(self, cell: u8) -> Self {
        Self(self.0 | 1 << cell)
    }

    /// The set without `cell`.
    pub const fn without(self, cell: u8) -> Self {
        Self(self.0 & !(1 << cell))
    }

    /// Cells of either set.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Cells of both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Cells of this set that are not in `other`.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// All other cells.
    pub const fn complement(self) -> Self {
        Self(!self.0 & ALL)
    }

    /// The cells next to those of the set, up, down, left and right.
    pub const fn neighbours(self) -> Self {
        let up_down = self.0 >> SIDE | self.0 << SIDE;
        let left_right = (self.0 & !LEFT_COLUMN) >> 1 | (self.0 & !RIGHT_COLUMN) << 1;
        Self((up_down | left_right) & ALL)
    }

    /// How many there are.
    pub const fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The cells in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let cell = left.trailing_zeros() as u8;
            (left != 0).then(|| {
                left &= left - 1;
                cell
            })
        })
    }
}

impl FromIterator<u8> for Cells {
    fn from_iter<I: IntoIterator<Item = u8>>(cells: I) -> Self {
        cells.into_iter().fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_do_not_wrap_around() {
        let of = |cell: u8| Cells::one(cell).neighbours().iter().collect::<Vec<_>>();
        assert_eq!(of(0), [1, 10]);
        assert_eq!(of(9), [8, 19]);
        assert_eq!(of(90), [80, 91]);
        assert_eq!(of(99), [89, 98]);
        assert_eq!(of(45), [35, 44, 46, 55]);
        assert_eq!(Cells::RING.count(), 36);
        assert_eq!(Cells::RING.complement().count(), 64);
    }
}
