//! A decomposition that is made again in f64 where f32 cannot tell what a cut keeps.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use crate::Svd;
use laser_matrix::{LowRank, Matrix, SvdError};

/// The decomposition in f32, and that in f64 once a cut falls between nearly equal singular values. All other cuts are made
/// in f32, so that each gives the same bits whatever was asked for before.
#[derive(Clone, Debug)]
pub(crate) struct CarefulSvd {
    single: Svd,
    double: OnceCell<Svd>,
}

impl CarefulSvd {
    pub(crate) fn of(matrix: &Matrix) -> Result<Self, SvdError> {
        Ok(Self { single: Svd::of(matrix)?, double: OnceCell::new() })
    }

    /// The components in `kept` of `matrix`, which this is the decomposition of.
    pub(crate) fn components<'m>(&self, kept: &[Range<usize>], matrix: impl Fn() -> Cow<'m, Matrix>) -> LowRank {
        if !self.single.has_close_cut(kept) {
            return self.single.components(kept);
        }
        // Where f64 finds none, f32's is still a decomposition.
        let double = self.double.get_or_init(|| Svd::in_f64(&matrix()).unwrap_or_else(|_| self.single.clone()));
        double.components(kept)
    }

    /// How many decompositions are kept.
    pub(crate) fn count(&self) -> usize {
        1 + usize::from(self.double.get().is_some())
    }
}
