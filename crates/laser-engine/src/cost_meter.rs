//! Edited models beside the unedited one on a text.

use crate::activation_cache::ActivationCache;
use crate::edited_forward::{EditedForward, NodeInstance};
use crate::error::{Error, Result};
use crate::reference_text::HalfText;
use laser_checkpoint::Config;
use laser_kernels::Backend;
use laser_model::{Forest, KeyValueCache, Model, NodeId};
use laser_run::PassageCost;
use std::ops::Range;

/// More edited models than this do not make products any faster.
const TOGETHER: usize = 8;
/// Rows whose logits are computed at a time.
const ROWS: usize = 128;
/// Tokens of a passage, whose sums are told apart: intervals draw passages again.
const PASSAGE: usize = 64;

/// Measures what edited models make of one half of a text, from their first edited layer on.
pub struct CostMeter<'a, B: Backend> {
    model: &'a Model<B>,
    half: HalfText,
    /// The windows and prompts, in that order, that are gone through together.
    parts: Vec<Range<usize>>,
    /// Bytes for the unedited model's logits.
    logits_memory: usize,
    /// Bytes for edited models, and what each takes beside its matrices.
    rest: usize,
    of_model: usize,
    /// What is kept between calls, and of which part.
    resident: Option<(usize, Part<B>)>,
    /// What the last pass has left.
    caches: Vec<KeyValueCache<B>>,
}

/// Some windows and prompts, and what the unedited model makes of them.
struct Part<B: Backend> {
    forest: Forest,
    /// Where something is predicted, in the order of the windows and then of the prompts.
    predictions: Vec<Prediction>,
    kept: ActivationCache<B>,
    /// What the unedited model's last layer gives there.
    unedited: B::Rows,
    /// The unedited model's logits there, [`ROWS`] at a time, if there is room for them.
    logits: Option<Vec<B::Rows>>,
}

/// A position of which it is looked at what is predicted.
struct Prediction {
    node: NodeId,
    /// The passage of the text, and the token that follows in it; none at the end of a prompt.
    in_passage: Option<(usize, u32)>,
}

/// What an edited model makes of a half of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextCost {
    /// The passages, in order.
    pub passages: Vec<PassageCost>,
    /// Mean divergence of what follows the prompts at once, nats.
    pub first_token_kl: f64,
}

impl<'a, B: Backend> CostMeter<'a, B> {
    /// A meter of edited copies of `model`; `memory` is the number of bytes that activations, those of the edited models
    /// among them, may take. A text that does not fit goes through in parts.
    pub fn new(model: &'a Model<B>, half: &HalfText, memory: usize) -> Self {
        let config = model.config();
        let of_node =
            size_of::<f32>() * (2 * config.layers * config.kv_heads * config.head_dim + 3 * config.hidden_size);
        // A quarter is for logits; of the rest as much for the unedited model as for an edited one.
        let nodes = (memory / 4 * 3 / 2 / of_node).max(1);
        let sizes: Vec<usize> = half.windows.iter().chain(&half.prompts).map(Vec::len).collect();
        let parts = parts(&sizes, nodes);
        let largest = parts.iter().map(|part| sizes[part.clone()].iter().sum::<usize>()).max().unwrap_or(0);
        let rest = (memory / 4 * 3).saturating_sub(largest * of_node);
        Self {
            model,
            half: half.clone(),
            parts,
            logits_memory: memory / 4,
            rest,
            of_model: largest * of_node,
            resident: None,
            caches: Vec::new(),
        }
    }

    /// How many models, each with so many matrices of its own, are best measured together.
    pub fn together(&self, matrices: usize) -> usize {
        let of_matrices = matrix_bytes(self.model.config()).saturating_mul(matrices);
        (self.rest / self.of_model.saturating_add(of_matrices).max(1)).clamp(1, TOGETHER)
    }

    /// What each of `edited`, copies of the model, makes of the text.
    ///
    /// # Errors
    /// If a model cannot be run, or what it predicts is not a finite number.
    pub fn measure(&mut self, edited: &[Model<B>]) -> Result<Vec<TextCost>> {
        let passages: usize = self.half.windows.iter().map(|window| passages(window, self.half.special)).sum();
        let none = PassageCost { tokens: 0, nats: 0.0, kl: 0.0 };
        let mut costs = vec![TextCost { passages: vec![none; passages], first_token_kl: 0.0 }; edited.len()];
        for number in 0..self.parts.len() {
            let mut part = match self.resident.take() {
                Some((resident, part)) if resident == number => part,
                other => {
                    drop(other);
                    self.part(number)?
                }
            };
            self.measure_part(&mut part, edited, &mut costs)?;
            self.resident = Some((number, part));
        }
        let prompts = self.half.prompts.len().max(1) as f64;
        for cost in &mut costs {
            cost.first_token_kl /= prompts;
            let finite = cost.passages.iter().all(|it| it.nats.is_finite() && it.kl.is_finite());
            if !finite || !cost.first_token_kl.is_finite() {
                return Err(Error::NotFinite { id: "text".to_owned() });
            }
        }
        Ok(costs)
    }

    fn measure_part(&mut self, part: &mut Part<B>, edited: &[Model<B>], costs: &mut [TextCost]) -> Result<()> {
        let Part { forest, predictions, kept, unedited, logits } = part;
        let caches = std::mem::take(&mut self.caches);
        let mut forward = EditedForward::new(self.model, edited, edited.len() * forest.len(), caches)?;
        let hidden = final_hidden(&mut forward, kept, forest, predictions, edited.len())?;
        self.caches = forward.into_caches();
        let wanted: Vec<Option<u32>> = predictions.iter().map(|it| it.in_passage.map(|(_, token)| token)).collect();
        let backend = self.model.backend();
        for (number, rows) in slices(predictions.len()).enumerate() {
            let made;
            let logits = match &logits {
                Some(logits) => &logits[number],
                None => {
                    made = self.model.logits_of(&backend.slice(unedited, rows.clone())?)?;
                    &made
                }
            };
            for (hidden, cost) in hidden.iter().zip(&mut *costs) {
                let hidden = backend.slice(hidden, rows.clone())?;
                let found = self.model.diverge(logits, &hidden, &wanted[rows.clone()])?;
                for (prediction, it) in predictions[rows.clone()].iter().zip(found) {
                    match (prediction.in_passage, it.logprob) {
                        (Some((passage, _)), Some(logprob)) => {
                            let passage = &mut cost.passages[passage];
                            passage.tokens += 1;
                            passage.nats -= logprob;
                            passage.kl += it.kl;
                        }
                        _ => cost.first_token_kl += it.kl,
                    }
                }
            }
        }
        Ok(())
    }

    /// What the unedited model makes of a part.
    fn part(&self, number: usize) -> Result<Part<B>> {
        let (half, model) = (&self.half, self.model);
        let (mut forest, mut predictions) = (Forest::default(), Vec::new());
        let mut first_passage = 0;
        for (sequence, window) in half.windows.iter().enumerate() {
            if self.parts[number].contains(&sequence) {
                // The last token predicts nothing that is known.
                let path = path(&mut forest, &window[..window.len() - 1]);
                for (place, &node) in path.iter().enumerate().skip(half.special) {
                    let passage = first_passage + (place - half.special) / PASSAGE;
                    predictions.push(Prediction { node, in_passage: Some((passage, window[place + 1])) });
                }
            }
            first_passage += passages(window, half.special);
        }
        for (sequence, prompt) in (half.windows.len()..).zip(&half.prompts) {
            if self.parts[number].contains(&sequence) {
                let path = path(&mut forest, prompt);
                predictions.extend(path.last().map(|&node| Prediction { node, in_passage: None }));
            }
        }
        let mut kept = ActivationCache::new(model, forest.len())?;
        let mut forward = EditedForward::new(model, std::slice::from_ref(model), forest.len(), Vec::new())?;
        let unedited = final_hidden(&mut forward, &mut kept, &forest, &predictions, 1)?.remove(0);
        let bytes = predictions.len().saturating_mul(model.config().vocab_size).saturating_mul(size_of::<f32>());
        let mut logits = None;
        if bytes <= self.logits_memory {
            let of = |rows| model.logits_of(&model.backend().slice(&unedited, rows)?);
            logits = Some(slices(predictions.len()).map(of).collect::<Result<_, laser_model::Error>>()?);
        }
        Ok(Part { forest, predictions, kept, unedited, logits })
    }
}

/// How many passages a window has, of which the first `special` tokens are special ones.
fn passages(window: &[u32], special: usize) -> usize {
    window.len().saturating_sub(special + 1).div_ceil(PASSAGE)
}

/// Runs of sequences of these sizes, each run of at most `limit` tokens; a sequence that is longer is a run of its own.
fn parts(sizes: &[usize], limit: usize) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut total) = (Vec::new(), 0, 0);
    for (i, &size) in sizes.iter().enumerate() {
        if i > start && total + size > limit {
            parts.push(start..i);
            (start, total) = (i, 0);
        }
        total += size;
    }
    if start < sizes.len() {
        parts.push(start..sizes.len());
    }
    parts
}

/// Bytes of the largest matrix, which an edit makes anew.
fn matrix_bytes(config: &Config) -> usize {
    let elements = config.matrices.iter().map(|kind| kind.shape(config).iter().product::<usize>());
    elements.max().unwrap_or(0) * size_of::<f32>()
}

/// The rows `0..count`, [`ROWS`] at a time.
fn slices(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(ROWS).map(move |first| first..(first + ROWS).min(count))
}

/// The nodes of some tokens from the beginning on.
fn path(forest: &mut Forest, tokens: &[u32]) -> Vec<NodeId> {
    let Some((&first, rest)) = tokens.split_first() else { return Vec::new() };
    let root = forest.root(first);
    let mut path = vec![root];
    path.extend(forest.extend_path(root, rest));
    path
}

/// What the last layer of each of `models` models gives at the predictions.
fn final_hidden<B: Backend>(
    forward: &mut EditedForward<B>,
    kept: &mut ActivationCache<B>,
    forest: &Forest,
    predictions: &[Prediction],
    models: usize,
) -> Result<Vec<B::Rows>> {
    let mut is_read = vec![false; forest.len()];
    predictions.iter().for_each(|it| is_read[it.node as usize] = true);
    let nodes = 0..forest.len() as NodeId;
    let all: Vec<NodeInstance> =
        (0..models).flat_map(|candidate| nodes.clone().map(move |node| NodeInstance { candidate, node })).collect();
    forward.advance(kept, forest, &all, |node| is_read[node as usize])?;
    (0..models)
        .map(|candidate| {
            let read: Vec<NodeInstance> =
                predictions.iter().map(|it| NodeInstance { candidate, node: it.node }).collect();
            forward.final_hidden(&read)
        })
        .collect()
}
