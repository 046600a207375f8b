//! Which tensors a factored folder has: two thin matrices in place of an edited one where those are smaller.

use std::collections::{HashMap, HashSet};

use laser_checkpoint::{Checkpoint, Convention, ParamId, ParamKind, Precision};

use crate::{
    edited_checkpoint::EditedCheckpoint,
    error::Result,
    factored_config::{FactoredModule, FactoredPart},
    hf_writer::is_quantised,
    placed_params::{PlacedParam, by_tensor},
    safetensors_shards::PlannedTensor,
    thin_factors::is_smaller,
};

/// What a tensor is made of.
pub(crate) enum FactoredContent {
    /// It is as in the source's own file; whether the model reads it.
    Copy(String, bool),
    /// Put together from tensors of the model.
    Assembled(Vec<PlacedParam>),
    /// One tensor of the model, on its own.
    Alone(ParamId),
    /// The inner thin matrix of this rank.
    Inner(ParamId, usize),
    /// The outer one.
    Outer(ParamId, usize),
}

/// A tensor, what it is made of, and its type.
pub(crate) type FactoredTensor = PlannedTensor<(FactoredContent, Precision)>;

/// The tensors of a folder.
pub(crate) struct FactoredPlan<'a> {
    model: &'a EditedCheckpoint<'a>,
    rank_multiple: usize,
    pub tensors: Vec<FactoredTensor>,
    /// By name without its first part.
    pub modules: Vec<(String, FactoredModule)>,
    /// The edited matrices that stay whole, and why.
    pub whole: Vec<(ParamId, String)>,
    /// The parts, with their ranks, of modules that were split: their biases go with them.
    split: HashMap<String, Vec<(ParamKind, Option<usize>)>>,
}

impl<'a> FactoredPlan<'a> {
    /// Ranks are rounded up to a multiple of `rank_multiple`.
    pub(crate) fn new(model: &'a EditedCheckpoint<'a>, rank_multiple: usize) -> Result<Self> {
        let (tensors, modules, whole) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self { model, rank_multiple, tensors, modules, whole, split: HashMap::new() };
        let checkpoint = model.checkpoint();
        let layout = |param| Ok(checkpoint.layout_in(param, Convention::HuggingFace));
        let is_quantised = is_quantised(checkpoint);
        let mut read = HashSet::new();
        for (name, params) in by_tensor(checkpoint.params(), layout)? {
            let first = params[0].param;
            if checkpoint.convention() == Convention::HuggingFace {
                read.insert(checkpoint.layout(first)?.tensor);
            }
            let precision = if is_quantised { Precision::F16 } else { checkpoint.stored_precision(first)? };
            let module = name.rsplit_once('.').map_or(name.as_str(), |(module, _)| module);
            match plan.split.get(module).cloned() {
                Some(parts) => plan.add_biases(module, &parts, &params, precision),
                None => plan.add(&name, module, params, precision)?,
            }
        }
        if checkpoint.convention() == Convention::HuggingFace {
            // Tensors that the model does not read are kept, too.
            for name in checkpoint.tensor_names() {
                if !read.contains(name) {
                    plan.copy(Convention::without_wrapper(name).0, name, false, Precision::F32)?;
                }
            }
        }
        Ok(plan)
    }

    fn checkpoint(&self) -> &'a Checkpoint {
        self.model.checkpoint()
    }

    fn push(&mut self, name: String, shape: Vec<usize>, content: FactoredContent, precision: Precision) {
        let dtype = precision.to_safetensors();
        self.tensors.push(PlannedTensor { name, dtype, shape, content: (content, precision) });
    }

    fn copy(&mut self, name: &str, stored: &str, is_read: bool, precision: Precision) -> Result<()> {
        let tensor = self.checkpoint().stored(stored)?;
        let (dtype, shape) = (tensor.element().dtype(), tensor.shape().to_vec());
        let content = (FactoredContent::Copy(stored.to_owned(), is_read), precision);
        self.tensors.push(PlannedTensor { name: name.to_owned(), dtype, shape, content });
        Ok(())
    }

    /// A stored tensor of these matrices, whole or split.
    fn add(&mut self, name: &str, module: &str, params: Vec<PlacedParam>, precision: Precision) -> Result<()> {
        let mut ranks = Vec::new();
        for placed in &params {
            ranks.push(match self.rank(placed.param) {
                Ok(rank) => rank,
                Err(why) => {
                    self.whole.push((placed.param, why));
                    None
                }
            });
        }
        if ranks.iter().any(Option::is_some) {
            self.add_split(module, &params, &ranks, precision);
            return Ok(());
        }
        let checkpoint = self.checkpoint();
        let is_edited = params.iter().any(|placed| self.model.edit_of(placed.param).is_some());
        if checkpoint.convention() == Convention::HuggingFace && !is_edited {
            return self.copy(name, &checkpoint.layout(params[0].param)?.tensor, true, precision);
        }
        let shape = params[0].layout.shape.clone();
        self.push(name.to_owned(), shape, FactoredContent::Assembled(params), precision);
        Ok(())
    }

    fn add_split(&mut self, module: &str, params: &[PlacedParam], ranks: &[Option<usize>], precision: Precision) {
        for (placed, &rank) in params.iter().zip(ranks) {
            let (param, shape) = (placed.param, self.checkpoint().shape(placed.param));
            let base = part_name(module, params.len(), param.kind);
            match rank {
                Some(rank) => {
                    let (inner, outer) = (vec![rank, shape[1]], vec![shape[0], rank]);
                    let content = FactoredContent::Inner(param, rank);
                    self.push(format!("{base}.factor_in.weight"), inner, content, precision);
                    let content = FactoredContent::Outer(param, rank);
                    self.push(format!("{base}.factor_out.weight"), outer, content, precision);
                }
                None => self.push(format!("{base}.weight"), shape, FactoredContent::Alone(param), precision),
            }
        }
        let own = module.split_once('.').map_or(module, |(_, own)| own).to_owned();
        self.modules.push((own, described(self.checkpoint(), params, ranks)));
        let parts = params.iter().map(|placed| placed.param.kind).zip(ranks.iter().copied()).collect();
        self.split.insert(module.to_owned(), parts);
    }

    /// The biases of a split module: those of the outer matrices.
    fn add_biases(
        &mut self,
        module: &str,
        parts: &[(ParamKind, Option<usize>)],
        params: &[PlacedParam],
        precision: Precision,
    ) {
        for placed in params {
            let rank = parts.iter().find(|(kind, _)| *kind == placed.param.kind).and_then(|(_, rank)| *rank);
            let base = part_name(module, parts.len(), placed.param.kind);
            let layer = if rank.is_some() { ".factor_out" } else { "" };
            let (name, shape) = (format!("{base}{layer}.bias"), self.checkpoint().shape(placed.param));
            self.push(name, shape, FactoredContent::Alone(placed.param), precision);
        }
    }

    /// The rank of a matrix's factors; `None` if it has no edit, and why not if it stays whole.
    fn rank(&self, param: ParamId) -> Result<Option<usize>, String> {
        let config = self.checkpoint().config();
        let Some(edit) = self.model.edit_of(param) else { return Ok(None) };
        let [rows, cols] = edit.matrix.kind.shape(config);
        if config.experts_of(edit.matrix.kind).is_some() {
            return Err("transformers keeps the experts of a layer in one tensor".to_owned());
        }
        let Some(rank) = self.model.rank_of(param) else {
            return Err("the edit leaves no matrix of low rank".to_owned());
        };
        // A layer of rank 0 has no weights, which not every program takes.
        let rank = rank.max(1).next_multiple_of(self.rank_multiple.max(1));
        if is_smaller(rank, [rows, cols]) {
            return Ok(Some(rank));
        }
        let (thin, whole) = (rank * (rows + cols), rows * cols);
        Err(format!("at rank {rank} two thin matrices have {thin} values, and the {rows} x {cols} matrix has {whole}"))
    }
}

fn part_name(module: &str, parts: usize, kind: ParamKind) -> String {
    if parts > 1 { format!("{module}.{kind}") } else { module.to_owned() }
}

fn described(checkpoint: &Checkpoint, params: &[PlacedParam], ranks: &[Option<usize>]) -> FactoredModule {
    if let ([_], [Some(rank)]) = (params, ranks) {
        return FactoredModule::Whole(*rank);
    }
    let by_head = params.first().is_some_and(|placed| placed.layout.order.is_some());
    let part = |(placed, &rank): (&PlacedParam, &Option<usize>)| FactoredPart {
        name: placed.param.kind.to_string(),
        rows: checkpoint.shape(placed.param)[0],
        rank,
    };
    let parts = params.iter().zip(ranks).map(part).collect();
    FactoredModule::Parts(parts, by_head.then_some(checkpoint.config().kv_heads))
}
