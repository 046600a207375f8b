//! The vocabulary as the directions of the residual stream that mean its tokens.

use crate::error::Result;
use laser_checkpoint::{Checkpoint, ParamKind};
use laser_matrix::Matrix;
use rayon::prelude::*;

/// A model's output embeddings.
pub(crate) struct OutputHead {
    /// `[vocabulary, hidden]`.
    embeddings: Matrix,
    norms: Vec<f32>,
    /// What the final norm multiplies the residual stream by.
    scale: Option<Vec<f32>>,
}

impl OutputHead {
    pub fn of(checkpoint: &Checkpoint) -> Result<Option<Self>> {
        let own = checkpoint.table(ParamKind::Head)?;
        let tied = || checkpoint.table(ParamKind::Embedding);
        let Some(embeddings) = own.map_or_else(tied, |own| Ok(Some(own)))? else { return Ok(None) };
        let norms = rows(&embeddings).map(|row| dot(row, row).sqrt()).collect();
        let scale = checkpoint.norm(ParamKind::FinalNorm, 0)?;
        Ok(Some(Self { embeddings, norms, scale }))
    }

    /// The cosine of each token's embedding with that of `token`.
    pub fn cosines(&self, token: u32) -> Vec<f32> {
        let token = token as usize;
        let Some(of) = self.row(token) else { return Vec::new() };
        let cosine = |(row, norm): (&[f32], &f32)| dot(row, of) / (norm * self.norms[token]).max(f32::MIN_POSITIVE);
        rows(&self.embeddings).zip(&self.norms).map(cosine).collect()
    }

    /// The `most` tokens whose logits a step along `direction` raises most, and those that it
    /// lowers most.
    pub fn ends(&self, direction: &[f32], most: usize) -> [Vec<u32>; 2] {
        let scaled: Vec<f32> = match &self.scale {
            Some(scale) => direction.iter().zip(scale).map(|(value, scale)| value * scale).collect(),
            None => direction.to_vec(),
        };
        let logits: Vec<f32> = rows(&self.embeddings).map(|row| dot(row, &scaled)).collect();
        let mut tokens: Vec<u32> = (0..).take(logits.len()).collect();
        tokens.par_sort_unstable_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        let most = most.min(tokens.len());
        [tokens[..most].to_vec(), tokens[tokens.len() - most..].iter().rev().copied().collect()]
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.embeddings.rows()
    }

    fn row(&self, token: usize) -> Option<&[f32]> {
        let width = self.embeddings.cols();
        self.embeddings.data().get(token * width..(token + 1) * width)
    }
}

fn rows(matrix: &Matrix) -> rayon::slice::Chunks<'_, f32> {
    matrix.data().par_chunks(matrix.cols().max(1))
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
