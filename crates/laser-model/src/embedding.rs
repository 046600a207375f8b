//! Tokens to the residual stream.

use crate::loading::{Loader, matrix_of, normed};
use crate::{Error, Result};
use laser_checkpoint::ParamKind;
use laser_kernels::{Backend, NormOn};
use laser_matrix::Matrix;

/// Token embedding, with learned positions, token type and norm if the model has them.
#[derive(Debug)]
pub(crate) struct Embedding<B: Backend> {
    tokens: B::Table,
    scale: Option<f64>,
    /// `[positions, hidden]`, with the first token type's embedding added.
    positions: Option<B::Table>,
    position_offset: u32,
    norm: Option<NormOn<B>>,
}

/// The tokens' own embedding, `[vocabulary, hidden]`.
pub(crate) fn token_matrix<B: Backend>(loader: &Loader<B>) -> Result<Matrix> {
    let missing = || Error::Model { why: "it has no token embedding".to_owned() };
    loader.checkpoint.table(ParamKind::Embedding)?.ok_or_else(missing)
}

impl<B: Backend> Embedding<B> {
    /// With these rows for the tokens.
    pub fn load(loader: &Loader<B>, tokens: Matrix) -> Result<Self> {
        let (config, table) = (loader.config(), |param| loader.checkpoint.table(param));
        let of = |matrix: Matrix| {
            let width = matrix.cols();
            loader.backend.table_of(matrix.into_data(), width)
        };
        let positions = match (table(ParamKind::Positions)?, table(ParamKind::TokenTypes)?) {
            (Some(positions), Some(types)) => Some(with_first_type(positions, &types)?),
            (positions, _) => positions,
        };
        Ok(Self {
            tokens: of(tokens)?,
            scale: config.embedding_scale,
            positions: positions.map(of).transpose()?,
            position_offset: config.position_offset as u32,
            norm: loader.norm(ParamKind::EmbeddingNorm, 0)?,
        })
    }

    /// `[tokens, hidden]`.
    pub fn forward(&self, backend: &B, tokens: &[u32], positions: &[u32]) -> Result<B::Rows> {
        let tokens = backend.indices(tokens)?;
        let x = match &self.positions {
            Some(table) => {
                let rows: Vec<u32> = positions.iter().map(|position| position + self.position_offset).collect();
                backend.embed(&self.tokens, &tokens, self.scale, Some((table, &backend.indices(&rows)?)))?
            }
            None => backend.embed(&self.tokens, &tokens, self.scale, None)?,
        };
        normed(backend, &self.norm, &x)
    }
}

/// The positions' rows, each plus that of token type 0.
fn with_first_type(positions: Matrix, types: &Matrix) -> Result<Matrix> {
    let (rows, cols) = (positions.rows(), positions.cols());
    let mut values = positions.into_data();
    for row in values.chunks_exact_mut(cols.max(1)) {
        row.iter_mut().zip(types.data()).for_each(|(value, added)| *value += added);
    }
    matrix_of(rows, cols, values)
}
