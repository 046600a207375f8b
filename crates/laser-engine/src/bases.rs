//! The bases that edits ask matrices to be decomposed in, and what those are taken from.

use crate::calibration::Observer;
use crate::error::{Error, Result};
use laser_checkpoint::Checkpoint;
use laser_edit::{Intervention, MatrixId, MatrixKind};
use laser_linalg::DecomposedMatrix;
use laser_matrix::{Basis, Observed, Stack, SvdError};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What a basis is taken from.
pub(crate) enum Source {
    Observed(Arc<Observed>),
    Stack(NonZeroUsize, Stack),
}

/// Where what a basis is taken from is found.
#[derive(Clone, Copy)]
pub(crate) struct Bases<'a> {
    pub checkpoint: &'a Checkpoint,
    pub observer: Option<&'a dyn Observer>,
}

impl Bases<'_> {
    /// What the bases are taken from that `edits` of a matrix ask for, except those that are `known`.
    pub fn sources<'e>(
        &self,
        at: (usize, MatrixId),
        edits: impl Iterator<Item = &'e Intervention>,
        known: impl Fn(Basis) -> bool,
    ) -> Result<Vec<(Basis, Source)>> {
        let mut needed: Vec<Basis> = edits.filter_map(|edit| edit.edit.basis()).collect();
        needed.sort_unstable();
        needed.dedup();
        // Inputs are observed with the gradients, if those are asked for first.
        needed.reverse();
        needed.retain(|&basis| !known(basis));
        let sources = needed.into_iter().map(|basis| Ok(self.source(at, basis)?.map(|source| (basis, source))));
        sources.filter_map(Result::transpose).collect()
    }

    /// None where nobody has observed what is asked for: the edit says so.
    fn source(&self, (layer, matrix): (usize, MatrixId), basis: Basis) -> Result<Option<Source>> {
        Ok(match basis {
            Basis::Stack(layers) => Some(Source::Stack(layers, self.stack(layer, matrix, layers)?)),
            Basis::Inputs | Basis::InputsAndGradients => match self.observer {
                Some(observer) => Some(Source::Observed(observer.observe(layer, matrix, basis)?)),
                None => None,
            },
        })
    }

    /// The matrix of all layers of its stack: the model's layers are cut into stacks of so many, from the first on.
    fn stack(&self, layer: usize, matrix: MatrixId, layers: NonZeroUsize) -> Result<Stack> {
        let first = layer - layer % layers;
        let end = first.saturating_add(layers.get()).min(self.checkpoint.config().layers);
        let matrices = (first..end).map(|layer| self.checkpoint.matrix(layer, matrix));
        // What goes into these, or comes out of those, is the residual stream.
        let shares_outputs = matches!(matrix.kind, MatrixKind::OutProj | MatrixKind::FcOut);
        Ok(Stack { matrices: matrices.collect::<Result<_, _>>()?, shares_outputs })
    }
}

/// Decomposes a matrix in these bases.
pub(crate) fn decompose(
    editable: &mut DecomposedMatrix,
    (layer, matrix): (usize, MatrixId),
    sources: Vec<(Basis, Source)>,
) -> Result<()> {
    for (basis, source) in sources {
        let decomposed = match source {
            Source::Observed(observed) => editable.observe(basis, &observed),
            Source::Stack(layers, stack) => editable.stack(layers, &stack),
        };
        decomposed.map_err(|error: SvdError| Error::Basis { layer, matrix, why: error.to_string() })?;
    }
    Ok(())
}
