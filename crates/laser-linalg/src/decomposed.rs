//! A matrix with what has been decomposed of it.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, btree_map::Entry};
use std::num::NonZeroUsize;
use std::ops::Range;

use crate::block_svd::BlockSvd;
use crate::careful_svd::CarefulSvd;
use crate::nearest_low_rank::Nearest;
use crate::power_iteration::randomised;
use laser_matrix::{Basis, Decompose, LowRank, Matrix, Observed, Stack, SvdError};

/// A matrix that is edited in several ways, one decomposition for all of them. A cut between nearly equal singular values is
/// made in f64, where f32 could not tell what it keeps.
#[derive(Debug)]
pub struct DecomposedMatrix {
    matrix: Matrix,
    whole: OnceCell<CarefulSvd>,
    /// By the number of row blocks.
    blocks: RefCell<BTreeMap<NonZeroUsize, BlockSvd>>,
    nearest: BTreeMap<Basis, Nearest>,
}

impl DecomposedMatrix {
    /// Nothing is decomposed yet.
    pub fn new(matrix: Matrix) -> Self {
        Self { matrix, whole: OnceCell::new(), blocks: RefCell::default(), nearest: BTreeMap::new() }
    }

    /// The matrix itself, without what has been decomposed of it.
    pub fn into_matrix(self) -> Matrix {
        self.matrix
    }

    /// How much memory it takes, at most, in bytes.
    pub fn bytes(&self) -> usize {
        let whole = self.whole.get().map_or(0, CarefulSvd::count);
        let decompositions = whole + self.blocks.borrow().values().map(BlockSvd::count).sum::<usize>();
        // The factors of one have no more elements than two such matrices.
        size_of_val(self.matrix.data()) * (1 + 2 * (decompositions + self.nearest.len()))
    }

    /// Whether the matrix has been decomposed in `basis`.
    pub fn has(&self, basis: Basis) -> bool {
        self.nearest.contains_key(&basis)
    }

    /// Decomposes the matrix in a basis that is taken from what went through it.
    ///
    /// # Errors
    /// If an entry is not finite, no algorithm converges, or what the basis is taken from was not observed.
    pub fn observe(&mut self, basis: Basis, observed: &Observed) -> Result<(), SvdError> {
        let gradients = match basis {
            Basis::Inputs => None,
            Basis::InputsAndGradients => Some(observed.gradients.as_ref().ok_or(SvdError::NoBasis)?),
            Basis::Stack(_) => return Err(SvdError::NoBasis),
        };
        self.nearest.insert(basis, Nearest::of(&self.matrix, &observed.inputs, gradients)?);
        Ok(())
    }

    /// Decomposes the matrix with its neighbours, of which it is one, for stacks of so many.
    ///
    /// # Errors
    /// If an entry is not finite, or no algorithm converges.
    pub fn stack(&mut self, layers: NonZeroUsize, stack: &Stack) -> Result<(), SvdError> {
        self.nearest.insert(Basis::Stack(layers), Nearest::in_stack(&self.matrix, stack)?);
        Ok(())
    }

    fn svd(&self) -> Result<&CarefulSvd, SvdError> {
        match self.whole.get() {
            Some(svd) => Ok(svd),
            None => {
                let svd = CarefulSvd::of(&self.matrix)?;
                Ok(self.whole.get_or_init(|| svd))
            }
        }
    }
}

impl Decompose for DecomposedMatrix {
    fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    fn components(&self, kept: &[Range<usize>]) -> Result<LowRank, SvdError> {
        Ok(self.svd()?.components(kept, || Cow::Borrowed(&self.matrix)))
    }

    fn row_blocks(&self, blocks: NonZeroUsize, rank: &dyn Fn(usize, usize) -> usize) -> Result<Matrix, SvdError> {
        let mut known = self.blocks.borrow_mut();
        let decomposed = match known.entry(blocks) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(BlockSvd::of(&self.matrix, blocks)?),
        };
        Ok(decomposed.truncate(&self.matrix, rank))
    }

    fn randomised(&self, rank: usize, iterations: usize, seed: u64) -> Result<LowRank, SvdError> {
        randomised(&self.matrix, rank, iterations, seed)
    }

    fn nearest(&self, basis: Basis, rank: usize) -> Result<LowRank, SvdError> {
        Ok(self.nearest.get(&basis).ok_or(SvdError::NoBasis)?.rank(rank))
    }
}
