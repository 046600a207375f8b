//! A transformer: embedding, blocks and head.

use crate::batch::Batch;
use crate::block::Block;
use crate::cache::KeyValueCache;
use crate::embedding::Embedding;
use crate::head::Head;
use crate::kernels::{Context, Precision, Reading, packs};
use crate::layers::Place;
use crate::rotary::Rotary;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use laser_checkpoint::{Checkpoint, CheckpointError, Config, MatrixId, MatrixKind};
use laser_linalg::Matrix;
use std::ops::Range;
use std::sync::Arc;

/// A model, f32 on its device. Cloning shares the weights, so that an edited copy costs one matrix.
///
/// Where the layers would take more memory than is allowed, their matrices stay on disk, and are read, some rows at a time, each
/// time they are used.
#[derive(Debug, Clone)]
pub struct Model {
    shared: Arc<Shared>,
    blocks: Vec<Arc<Block>>,
}

/// What no edit changes.
#[derive(Debug)]
struct Shared {
    checkpoint: Arc<Checkpoint>,
    device: Device,
    rotary: Option<Rotary>,
    local_rotary: Option<Rotary>,
    embedding: Embedding,
    head: Head,
}

impl Model {
    /// Reads a checkpoint. Where the layers would take more than `memory` bytes in f32, their matrices stay on disk.
    /// `progress` is called after each layer with the layers done.
    pub fn load(
        checkpoint: &Arc<Checkpoint>,
        device: &Device,
        memory: usize,
        mut progress: impl FnMut(usize),
    ) -> Result<Self> {
        let config = checkpoint.config();
        let fits = layer_bytes(config).saturating_mul(config.layers) <= memory;
        let place = if fits || !device.is_cpu() { Place::Memory } else { Place::Disk };
        let mut blocks = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            blocks.push(Arc::new(Block::load(checkpoint, layer, place, device)?));
            progress(layer + 1);
        }
        let embedding = Embedding::load(checkpoint, device)?;
        let shared = Shared {
            rotary: config.rotary.as_ref().map(Rotary::new),
            local_rotary: config.local_rotary.as_ref().map(Rotary::new),
            head: Head::load(checkpoint, &embedding, device)?,
            embedding,
            device: device.clone(),
            checkpoint: checkpoint.clone(),
        };
        Ok(Self { shared: Arc::new(shared), blocks })
    }

    /// The model's hyper-parameters.
    pub fn config(&self) -> &Config {
        self.shared.checkpoint.config()
    }

    /// Where the model is computed.
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    pub(crate) fn rotary(&self) -> Option<&Rotary> {
        self.shared.rotary.as_ref()
    }

    pub(crate) fn local_rotary(&self) -> Option<&Rotary> {
        self.shared.local_rotary.as_ref()
    }

    /// A copy that has `matrix` in place of a matrix of layer `layer`; in a mixture, of one expert.
    pub fn replace(&self, layer: usize, id: MatrixId, matrix: &Matrix) -> Result<Self> {
        id.check(self.config()).map_err(CheckpointError::from)?;
        let count = self.blocks.len();
        let mut model = self.clone();
        let out_of_range = CheckpointError::LayerOutOfRange { layer: layer as i64, count };
        let block = model.blocks.get_mut(layer).ok_or(out_of_range)?;
        let [rows, cols] = id.kind.shape(self.config());
        let (expected, found) = ((rows, cols), (matrix.rows(), matrix.cols()));
        if expected != found {
            return Err(Error::Replacement { layer, matrix: id, expected, found });
        }
        Arc::make_mut(block).replace(id, matrix, self.device())?;
        Ok(model)
    }

    /// A copy whose layers multiply in bf16, which is faster where the processor has it, and less exact. The head stays in f32.
    pub fn rounded(&self) -> Result<Self> {
        let cannot = |why: &str| Error::Rounding { why: why.to_owned() };
        if !self.device().is_cpu() {
            return Err(cannot("only the CPU has them here"));
        }
        if !packs(Precision::Bf16) {
            return Err(cannot("this processor lacks AVX512-BF16"));
        }
        let matrices = self.matrices();
        let round = |block: &Arc<Block>| {
            let rounded = block.rounded(&matrices)?;
            rounded.map(Arc::new).ok_or_else(|| cannot("the model is larger than memory and is read from disk"))
        };
        Ok(Self { shared: self.shared.clone(), blocks: self.blocks.iter().map(round).collect::<Result<_>>()? })
    }

    /// The matrices of a layer.
    pub(crate) fn matrices(&self) -> Vec<MatrixId> {
        let config = self.config();
        config.matrices.iter().flat_map(|&kind| MatrixId::from(kind).each(config)).collect()
    }

    /// The residual stream before layer 0, `[tokens, hidden]`, of tokens that stand at `positions`.
    pub fn embed(&self, tokens: &[u32], positions: &[u32]) -> Result<Tensor> {
        self.shared.embedding.forward(tokens, positions)
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

    /// Whether a layer is the very same in both models, which are edited copies of one.
    pub fn shares_layer(&self, other: &Self, layer: usize) -> bool {
        Arc::ptr_eq(&self.blocks[layer], &other.blocks[layer])
    }

    /// Empty caches for the blocks `layers`, each with room for `rows` rows.
    pub fn caches(&self, layers: Range<usize>, rows: usize) -> Result<Vec<KeyValueCache>> {
        let config = self.config();
        let width = config.kv_heads * config.head_dim;
        Ok(layers.map(|_| KeyValueCache::new(rows, width, self.device())).collect::<Result<_, _>>()?)
    }

    /// What the positions with final residual `x [rows, hidden]` predict: the next token, or in a masked model their own.
    /// `wanted[i]` are the tokens whose log-probability is wanted of row `i`.
    pub fn predict(&self, x: &Tensor, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        self.shared.head.predict(x, wanted)
    }

    pub(crate) fn block(&self, layer: usize) -> &Block {
        &self.blocks[layer]
    }

    pub(crate) fn head(&self) -> &Head {
        &self.shared.head
    }

    /// Logits `[tokens, vocabulary]` of one sequence, by the plainest road: every token through every layer.
    pub fn logits(&self, tokens: &[u32]) -> Result<Tensor> {
        let last = tokens.len() as u32;
        let positions: Vec<u32> = (0..last).collect();
        let mut context = Context::default();
        for &position in &positions {
            context.push(0..if self.config().masked { last } else { position + 1 });
        }
        let batch = Batch::new(self, &positions, positions.clone(), context)?;
        let layers = 0..self.config().layers;
        let x = self.embed(tokens, &positions)?;
        let x = self.run(layers.clone(), x, &batch, &mut self.caches(layers, tokens.len())?)?;
        self.shared.head.forward(&x)
    }
}

/// Bytes of a layer's matrices in f32.
fn layer_bytes(config: &Config) -> usize {
    let elements = |kind: &MatrixKind| {
        let [rows, cols] = kind.shape(config);
        let experts = config.experts_of(*kind).map_or(1, |experts| experts.count);
        (rows * cols).saturating_mul(experts)
    };
    config.matrices.iter().map(elements).fold(0, usize::saturating_add).saturating_mul(size_of::<f32>())
}
