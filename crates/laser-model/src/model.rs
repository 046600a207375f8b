//! A causal transformer: embedding, blocks, final norm and head.

use crate::batch::Batch;
use crate::block::{self, Block};
use crate::cache::KeyValueCache;
use crate::kernels::{Context, Reading, linear, readout};
use crate::rotary::Rotary;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use laser_checkpoint::{Checkpoint, CheckpointError, Config, MatrixKind};
use laser_linalg::Matrix;
use std::ops::Range;

/// Rows whose logits are held at a time.
const HEAD_ROWS: usize = 256;

/// A model in memory, f32 on its device. Cloning shares the weights, so that an edited copy costs one matrix.
#[derive(Debug, Clone)]
pub struct Model {
    config: Config,
    device: Device,
    rotary: Rotary,
    embedding: Tensor,
    blocks: Vec<Block>,
    final_norm: Tensor,
    /// Transposed, `[hidden, vocabulary]`.
    head: Tensor,
}

impl Model {
    /// Reads a checkpoint, one tensor at a time; `progress` is called after each layer with the layers done.
    pub fn load(checkpoint: &Checkpoint, device: &Device, mut progress: impl FnMut(usize)) -> Result<Self> {
        let config = checkpoint.config().clone();
        let mut blocks = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            blocks.push(Block::load(checkpoint, layer, device)?);
            progress(layer + 1);
        }
        let embedding = checkpoint.embedding()?;
        let head = match checkpoint.head()? {
            Some(head) => head.transpose(),
            None => embedding.transpose(),
        };
        Ok(Self {
            rotary: Rotary::new(config.head_dim, config.rope_theta),
            final_norm: block::vector(checkpoint.final_norm()?, device)?,
            device: device.clone(),
            config,
            embedding: block::tensor(embedding, device)?,
            blocks,
            head: block::tensor(head, device)?,
        })
    }

    /// The model's hyper-parameters.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn rotary(&self) -> &Rotary {
        &self.rotary
    }

    /// A copy that has `matrix` in place of matrix `kind` of layer `layer`.
    pub fn replace(&self, layer: usize, kind: MatrixKind, matrix: &Matrix) -> Result<Self> {
        let count = self.blocks.len();
        let block = self.blocks.get(layer).ok_or(CheckpointError::LayerOutOfRange { layer: layer as i64, count })?;
        let (expected, found) = (block.shape(kind), (matrix.rows(), matrix.cols()));
        if expected != found {
            return Err(Error::Replacement { layer, matrix: kind, expected, found });
        }
        let mut model = self.clone();
        model.blocks[layer] = block.replace(kind, matrix)?;
        Ok(model)
    }

    /// The residual stream before layer 0, `[tokens, hidden]`.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        let ids = Tensor::from_slice(tokens, tokens.len(), &self.device)?;
        Ok(self.embedding.index_select(&ids, 0)?)
    }

    /// Runs the blocks `layers` over the residual stream `x [rows, hidden]`; `caches` holds one cache a layer of the
    /// range.
    pub fn run(&self, layers: Range<usize>, x: Tensor, batch: &Batch, caches: &mut [KeyValueCache]) -> Result<Tensor> {
        debug_assert_eq!(layers.len(), caches.len());
        let mut x = x;
        for (block, cache) in self.blocks[layers].iter().zip(caches) {
            x = block.forward(&x, batch, cache)?;
        }
        Ok(x)
    }

    /// Empty caches for the blocks `layers`, each with room for `rows` rows.
    pub fn caches(&self, layers: Range<usize>, rows: usize) -> Result<Vec<KeyValueCache>> {
        let width = self.config.kv_heads * self.config.head_dim;
        Ok(layers.map(|_| KeyValueCache::new(rows, width, &self.device)).collect::<Result<_, _>>()?)
    }

    /// What the positions with final residual `x [rows, hidden]` predict; `wanted[i]` are the tokens whose
    /// log-probability is wanted of row `i`. The logits of a few rows at a time are held.
    pub fn predict(&self, x: &Tensor, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let mut readings = Vec::with_capacity(wanted.len());
        for (i, wanted) in wanted.chunks(HEAD_ROWS).enumerate() {
            let rows = x.narrow(0, i * HEAD_ROWS, wanted.len())?;
            readings.extend(readout(&self.logits_of(&rows)?, wanted)?);
        }
        Ok(readings)
    }

    /// Logits `[tokens, vocabulary]` of one sequence, by the plainest road: every token through every layer.
    pub fn logits(&self, tokens: &[u32]) -> Result<Tensor> {
        let positions: Vec<u32> = (0..tokens.len() as u32).collect();
        let mut context = Context::default();
        for &position in &positions {
            context.push(0..=position);
        }
        let batch = Batch::new(self, &positions, context)?;
        let layers = 0..self.config.layers;
        let x = self.run(layers.clone(), self.embed(tokens)?, &batch, &mut self.caches(layers, tokens.len())?)?;
        self.logits_of(&x)
    }

    fn logits_of(&self, x: &Tensor) -> Result<Tensor> {
        let normed = candle_nn::ops::rms_norm(x, &self.final_norm, self.config.norm_eps as f32)?;
        Ok(linear(&normed, &self.head)?)
    }
}
