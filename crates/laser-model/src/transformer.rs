//! A transformer: embedding, blocks and head.

use crate::batch::{Batch, Positions};
use crate::block::{Block, missing};
use crate::cache::KeyValueCache;
use crate::embedding::{Embedding, token_matrix};
use crate::head::Head;
use crate::layer::Layer;
use crate::loading::{Loader, WeightResidency, matrix_of};
use crate::{Error, Result};
use laser_checkpoint::{Checkpoint, CheckpointError, Config, ParamKind};
use laser_edit::{MatrixId, MatrixKind};
use laser_kernels::{Backend, Cpu, Divergence, KvIndices, Precision, Reading};
use laser_matrix::{LowRank, Matrix};
use std::ops::Range;
use std::sync::Arc;

/// A model on a backend. Cloning shares the weights, so that an edited copy costs one matrix; each
/// knows its first edited layer.
///
/// If the layers would take more memory than is allowed, their matrices stay on disk, and are read,
/// some rows at a time, each time they are used.
#[derive(Debug, Clone)]
pub struct Model<B: Backend = Cpu> {
    shared: Arc<Shared<B>>,
    blocks: Vec<Arc<Block<B>>>,
    /// The lowest layer of which a matrix was replaced; the number of layers if none was.
    first_edited_layer: usize,
}

/// What takes the place of a matrix, ready to be multiplied by. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Replacement<B: Backend = Cpu> {
    layer: usize,
    id: MatrixId,
    weight: Arc<B::Weight>,
}

/// What no edit changes.
#[derive(Debug)]
struct Shared<B: Backend> {
    checkpoint: Arc<Checkpoint>,
    backend: B,
    positions: Positions,
    embedding: Embedding<B>,
    head: Head<B>,
}

impl<B: Backend> Model<B> {
    /// Reads a checkpoint. If the layers would take more than `memory` bytes in f32, their matrices
    /// stay on disk, if the backend can read them there. `progress` is called after each layer with
    /// the layers done.
    ///
    /// # Errors
    /// If a tensor is missing or cannot be read, or the device is out of memory.
    pub fn load(
        checkpoint: &Arc<Checkpoint>,
        backend: &B,
        memory: usize,
        mut progress: impl FnMut(usize),
    ) -> Result<Self> {
        let config = checkpoint.config();
        let fits = layer_bytes(config).saturating_mul(config.layers) <= memory;
        let residency = if fits { WeightResidency::Memory } else { WeightResidency::Disk };
        let loader = Loader { backend, checkpoint, residency };
        let mut blocks = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            blocks.push(Arc::new(Block::load(&loader, layer)?));
            progress(layer + 1);
        }
        let tokens = token_matrix(&loader)?;
        let head = match checkpoint.table(ParamKind::Head)? {
            Some(matrix) => Head::load(&loader, &matrix)?,
            None if config.tied_head => Head::load(&loader, &tokens)?,
            None => return Err(Error::Model { why: "it has no head".to_owned() }),
        };
        let shared = Shared {
            positions: Positions::new(config),
            embedding: Embedding::load(&loader, tokens)?,
            head,
            backend: backend.clone(),
            checkpoint: checkpoint.clone(),
        };
        Ok(Self { shared: Arc::new(shared), first_edited_layer: blocks.len(), blocks })
    }

    /// The model's hyper-parameters.
    pub fn config(&self) -> &Config {
        self.shared.checkpoint.config()
    }

    /// What the model is computed by.
    pub fn backend(&self) -> &B {
        &self.shared.backend
    }

    /// The lowest layer of which a matrix was replaced: all below it is as in the model that was
    /// loaded. The number of layers if none was.
    pub fn first_edited_layer(&self) -> usize {
        self.first_edited_layer
    }

    /// What [`Self::with`] puts in place of a matrix of layer `layer`; in a mixture, of one expert.
    ///
    /// # Errors
    /// If there is no such matrix, or it has another shape.
    pub fn prepare(&self, layer: usize, id: MatrixId, matrix: &Matrix) -> Result<Replacement<B>> {
        let precision = self.precision(layer, id, [matrix.rows(), matrix.cols()])?;
        Ok(Replacement { layer, id, weight: Arc::new(self.backend().weight(matrix, precision)?) })
    }

    /// The same of the product of `factors`, on a backend that takes them.
    ///
    /// # Errors
    /// As [`Self::prepare`], or if the backend does not take factors.
    pub fn prepare_factors(&self, layer: usize, id: MatrixId, factors: &LowRank) -> Result<Replacement<B>> {
        let precision = self.precision(layer, id, [factors.rows(), factors.cols()])?;
        Ok(Replacement { layer, id, weight: Arc::new(self.backend().low_rank_weight(factors, precision)?) })
    }

    /// In what a matrix is multiplied that is about to be replaced by one of this shape.
    fn precision(&self, layer: usize, id: MatrixId, [rows, cols]: [usize; 2]) -> Result<Precision> {
        id.check(self.config()).map_err(CheckpointError::from)?;
        let out_of_range = CheckpointError::LayerOutOfRange { layer: layer as i64, count: self.blocks.len() };
        let block = self.blocks.get(layer).ok_or(out_of_range)?;
        let [expected_rows, expected_cols] = id.kind.shape(self.config());
        let (expected, found) = ((expected_rows, expected_cols), (rows, cols));
        if expected != found {
            return Err(Error::Replacement { layer, matrix: id, expected, found });
        }
        let mut block = Block::clone(block);
        let old = block.matrix(id).ok_or_else(|| missing(id))?;
        Ok(self.backend().precision(&old.weight))
    }

    /// A copy that has `replacement` in place of its matrix; `replacement` was prepared by this model
    /// or a copy of it. Copies with the same one share it.
    ///
    /// # Errors
    /// If there is no such matrix.
    pub fn with(&self, replacement: &Replacement<B>) -> Result<Self> {
        let Replacement { layer, id, weight } = replacement;
        let mut model = self.clone();
        let out_of_range = CheckpointError::LayerOutOfRange { layer: *layer as i64, count: self.blocks.len() };
        let block = model.blocks.get_mut(*layer).ok_or(out_of_range)?;
        Arc::make_mut(block).replace(*id, weight.clone())?;
        model.first_edited_layer = self.first_edited_layer.min(*layer);
        Ok(model)
    }

    /// A copy that has `matrix` in place of a matrix of layer `layer`; in a mixture, of one expert.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn replace(&self, layer: usize, id: MatrixId, matrix: &Matrix) -> Result<Self> {
        self.with(&self.prepare(layer, id, matrix)?)
    }

    /// The same with the product of `factors`, on a backend that takes them.
    ///
    /// # Errors
    /// As [`Self::prepare_factors`].
    pub fn replace_by_factors(&self, layer: usize, id: MatrixId, factors: &LowRank) -> Result<Self> {
        self.with(&self.prepare_factors(layer, id, factors)?)
    }

    /// A copy whose layers multiply in bf16, which is faster if the processor has it, and less
    /// exact. The head stays in f32.
    ///
    /// # Errors
    /// If the backend has no such products, or not with these weights.
    pub fn to_bf16(&self) -> Result<Self> {
        let matrices = self.matrices();
        let to_bf16 = |block: &Arc<Block<B>>| match block.to_bf16(self.backend(), &matrices) {
            Err(Error::Kernel(laser_kernels::Error::Precision { why, .. })) => Err(Error::Bf16 { why }),
            block => block.map(Arc::new),
        };
        Ok(Self { blocks: self.blocks.iter().map(to_bf16).collect::<Result<_>>()?, ..self.clone() })
    }

    /// The matrices of a layer.
    fn matrices(&self) -> Vec<MatrixId> {
        let config = self.config();
        config.matrices.iter().flat_map(|&kind| MatrixId::from(kind).each(config)).collect()
    }

    /// The residual stream before layer 0, `[tokens, hidden]`, of tokens that stand at `positions`.
    ///
    /// # Errors
    /// If a token or a position is outside the model's tables.
    pub fn embed(&self, tokens: &[u32], positions: &[u32]) -> Result<B::Rows> {
        self.shared.embedding.forward(self.backend(), tokens, positions)
    }

    /// Rows that go through the blocks together: row `i` stands at `positions[i]`, becomes row
    /// `places[i]` of the caches (all different) and attends to the cache rows of query `i` of
    /// `indices`.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn batch(&self, positions: &[u32], places: Vec<u32>, indices: KvIndices) -> Result<Batch<B>> {
        self.batch_on(self.backend(), positions, places, indices)
    }

    /// The same for another backend.
    pub(crate) fn batch_on<C: Backend>(
        &self,
        backend: &C,
        positions: &[u32],
        places: Vec<u32>,
        indices: KvIndices,
    ) -> Result<Batch<C>> {
        Batch::new(backend, &self.shared.positions, positions, places, indices)
    }

    /// Runs the blocks `layers` over the residual stream `x [rows, hidden]`; `caches` holds one
    /// cache for each layer of the range.
    ///
    /// # Errors
    /// If a weight cannot be read, or the device is out of memory.
    pub fn run(
        &self,
        layers: Range<usize>,
        x: B::Rows,
        batch: &Batch<B>,
        caches: &mut [KeyValueCache<B>],
    ) -> Result<B::Rows> {
        debug_assert_eq!(layers.len(), caches.len());
        let mut x = x;
        for (block, cache) in self.blocks[layers].iter().zip(caches) {
            x = Layer::of(self.backend(), block, batch).forward(&x, cache)?;
        }
        Ok(x)
    }

    /// Runs one layer over the residual stream `x [rows, hidden]` of some copies of this model: each
    /// of `models` has so many of the rows, one after the other. What is the same in several is done
    /// for their rows together.
    ///
    /// # Errors
    /// As [`Self::run`], and if the models' rows are not the batch's.
    pub fn run_layer_of<'m>(
        &'m self,
        models: impl IntoIterator<Item = (&'m Self, usize)>,
        layer: usize,
        x: B::Rows,
        batch: &Batch<B>,
        cache: &mut KeyValueCache<B>,
    ) -> Result<B::Rows> {
        let blocks = models.into_iter().map(|(model, rows)| (&*model.blocks[layer], rows));
        match Layer::of_many(self.backend(), blocks, batch) {
            Some(of_many) => of_many.forward(&x, cache),
            None => Err(Error::Model { why: "it was given other rows than its batch".to_owned() }),
        }
    }

    /// Whether a layer is the very same in both models, which are edited copies of one.
    pub fn shares_layer(&self, other: &Self, layer: usize) -> bool {
        Arc::ptr_eq(&self.blocks[layer], &other.blocks[layer])
    }

    /// Empty caches for the blocks `layers`, each with room for `rows` rows.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn caches(&self, layers: Range<usize>, rows: usize) -> Result<Vec<KeyValueCache<B>>> {
        self.caches_on(self.backend(), layers, rows)
    }

    /// The same on another backend.
    pub(crate) fn caches_on<C: Backend>(
        &self,
        backend: &C,
        layers: Range<usize>,
        rows: usize,
    ) -> Result<Vec<KeyValueCache<C>>> {
        let config = self.config();
        let width = config.kv_heads * config.head_dim;
        Ok(layers.map(|_| KeyValueCache::new(backend, rows, width)).collect::<Result<_, _>>()?)
    }

    /// What the positions with final residual `x [rows, hidden]` predict: the next token, or in a
    /// masked model their own. `wanted[i]` are the tokens whose log-probability is wanted of row
    /// `i`.
    ///
    /// # Errors
    /// If a wanted token is outside the vocabulary.
    pub fn predict(&self, x: &B::Rows, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        self.shared.head.read_out(self.backend(), x, wanted)
    }

    /// The logits `[rows, vocabulary]` of rows of the final residual stream, `x [rows, hidden]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn logits_of(&self, x: &B::Rows) -> Result<B::Rows> {
        self.shared.head.logits(self.backend(), x)
    }

    /// What rows of the final residual stream of an edited model, `[rows, hidden]`, predict, beside
    /// this one's logits of them; `wanted[i]` is the token whose log-probability is wanted of row `i`.
    ///
    /// # Errors
    /// If a wanted token is outside the vocabulary, or the numbers of rows differ.
    pub fn diverge(&self, logits: &B::Rows, edited: &B::Rows, wanted: &[Option<u32>]) -> Result<Vec<Divergence>> {
        self.shared.head.diverge(self.backend(), logits, edited, wanted)
    }

    pub(crate) fn block(&self, layer: usize) -> &Block<B> {
        &self.blocks[layer]
    }

    pub(crate) fn head(&self) -> &Head<B> {
        &self.shared.head
    }

    /// Logits `[tokens, vocabulary]` of one sequence, in the plainest way: every token through
    /// every layer.
    ///
    /// # Errors
    /// If a token is outside the vocabulary.
    pub fn logits(&self, tokens: &[u32]) -> Result<Matrix> {
        let last = tokens.len() as u32;
        let positions: Vec<u32> = (0..last).collect();
        let mut indices = KvIndices::default();
        for &position in &positions {
            indices.push(0..if self.config().masked { last } else { position + 1 });
        }
        let batch = self.batch(&positions, positions.clone(), indices)?;
        let layers = 0..self.config().layers;
        let x = self.embed(tokens, &positions)?;
        let x = self.run(layers.clone(), x, &batch, &mut self.caches(layers, tokens.len())?)?;
        let logits = self.shared.head.logits(self.backend(), &x)?;
        matrix_of(tokens.len(), self.config().vocab_size, self.backend().to_host(&logits)?)
    }
}

/// Bytes of a layer's matrices in f32, with those of the expert for every row, which are always in
/// memory.
pub fn layer_bytes(config: &Config) -> usize {
    let elements = |kind: &MatrixKind| {
        let [rows, cols] = kind.shape(config);
        let experts = config.experts_of(*kind).map_or(1, |experts| experts.count);
        (rows * cols).saturating_mul(experts)
    };
    let shared = [ParamKind::SharedIn, ParamKind::SharedUp, ParamKind::SharedOut];
    let shared = shared.iter().filter(|&&kind| config.has(kind)).count();
    let shared = config.shared_size.saturating_mul(config.hidden_size).saturating_mul(shared);
    config.matrices.iter().map(elements).fold(shared, usize::saturating_add).saturating_mul(size_of::<f32>())
}
