//! Tokens to the residual stream.

use crate::layers::{NormLayer, normed, tensor};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use laser_checkpoint::{Checkpoint, Slot};

/// Token embedding, with learned positions, token type and norm where the model has them.
#[derive(Debug)]
pub(crate) struct Embedding {
    tokens: Tensor,
    scale: Option<f64>,
    /// `[positions, hidden]`, with the first token type's embedding added.
    positions: Option<Tensor>,
    position_offset: u32,
    norm: Option<NormLayer>,
}

impl Embedding {
    pub(crate) fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        let config = checkpoint.config();
        let table = |slot| -> Result<Option<Tensor>> {
            Ok(checkpoint.table(slot)?.map(|matrix| tensor(matrix, device)).transpose()?)
        };
        let missing = || Error::Model { why: "it has no token embedding".to_owned() };
        let positions = match (table(Slot::Positions)?, table(Slot::TokenTypes)?) {
            (Some(positions), Some(types)) => Some(positions.broadcast_add(&types.narrow(0, 0, 1)?)?),
            (positions, _) => positions,
        };
        Ok(Self {
            tokens: table(Slot::Embedding)?.ok_or_else(missing)?,
            scale: config.embedding_scale,
            positions,
            position_offset: config.position_offset as u32,
            norm: NormLayer::load(checkpoint, Slot::EmbeddingNorm, 0, device)?,
        })
    }

    /// The tokens' own embedding, `[vocabulary, hidden]`.
    pub(crate) fn tokens(&self) -> &Tensor {
        &self.tokens
    }

    /// `[tokens, hidden]`.
    pub(crate) fn forward(&self, tokens: &[u32], positions: &[u32]) -> Result<Tensor> {
        let select = |table: &Tensor, rows: &[u32]| {
            table.index_select(&Tensor::from_slice(rows, rows.len(), table.device())?, 0)
        };
        let mut x = select(&self.tokens, tokens)?;
        if let Some(scale) = self.scale {
            x = (x * scale)?;
        }
        if let Some(table) = &self.positions {
            let rows: Vec<u32> = positions.iter().map(|position| position + self.position_offset).collect();
            x = (x + select(table, &rows)?)?;
        }
        Ok(normed(&self.norm, &x)?)
    }
}
