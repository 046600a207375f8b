//! Edited models beside the unedited one on a text.

use crate::activation_cache::ActivationCache;
use crate::edited_forward::{EditedForward, NodeInstance};
use crate::error::{Error, Result};
use crate::reference_text::HalfText;
use laser_kernels::Backend;
use laser_model::{Forest, KeyValueCache, Model, NodeId};
use laser_run::WindowCost;
use std::ops::Range;

/// More edited models than this do not make products any faster.
const TOGETHER: usize = 8;
/// Rows whose logits are computed at a time.
const ROWS: usize = 128;

/// Measures what edited models make of one half of a text, from their first edited layer on.
pub struct CostMeter<'a, B: Backend> {
    model: &'a Model<B>,
    forest: Forest,
    /// Where something is predicted, in the order of the windows and then of the prompts.
    predictions: Vec<Prediction>,
    windows: usize,
    kept: ActivationCache<B>,
    /// What the unedited model's last layer gives there.
    unedited: B::Rows,
    /// The unedited model's logits there, [`ROWS`] at a time, if there is room for them.
    logits: Option<Vec<B::Rows>>,
    /// What the last pass has left.
    caches: Vec<KeyValueCache<B>>,
    together: usize,
}

/// A position of which it is looked at what is predicted.
struct Prediction {
    node: NodeId,
    /// The window, and the token that follows in it; none at the end of a prompt.
    in_window: Option<(usize, u32)>,
}

/// What an edited model makes of a half of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextCost {
    /// The windows, in order.
    pub windows: Vec<WindowCost>,
    /// Mean divergence of what follows the prompts at once, nats.
    pub first_token_kl: f64,
}

impl<'a, B: Backend> CostMeter<'a, B> {
    /// A meter of edited copies of `model`; `memory` is the number of bytes that the activations of
    /// those that are measured together may take.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn new(model: &'a Model<B>, half: &HalfText, memory: usize) -> Result<Self> {
        let (mut forest, mut predictions) = (Forest::default(), Vec::new());
        for (number, window) in half.windows.iter().enumerate() {
            // The last token predicts nothing that is known.
            let path = path(&mut forest, &window[..window.len() - 1]);
            for (place, &node) in path.iter().enumerate().skip(half.special) {
                predictions.push(Prediction { node, in_window: Some((number, window[place + 1])) });
            }
        }
        for prompt in &half.prompts {
            let path = path(&mut forest, prompt);
            predictions.extend(path.last().map(|&node| Prediction { node, in_window: None }));
        }
        let config = model.config();
        let of_node = 2 * config.layers * config.kv_heads * config.head_dim + 3 * config.hidden_size;
        // One half is for the unedited model's logits.
        let memory = memory / 2;
        let together = memory / (of_node * size_of::<f32>() * forest.len()).max(1);
        let mut kept = ActivationCache::new(model, forest.len())?;
        let itself = std::slice::from_ref(model);
        let mut forward = EditedForward::new(model, itself, forest.len(), Vec::new())?;
        let unedited = final_hidden(&mut forward, &mut kept, &forest, &predictions, 1)?.remove(0);
        let mut logits = None;
        if predictions.len().saturating_mul(config.vocab_size).saturating_mul(size_of::<f32>()) <= memory {
            let slices = slices(predictions.len());
            let of = |rows| model.logits_of(&model.backend().slice(&unedited, rows)?);
            logits = Some(slices.map(of).collect::<Result<_, laser_model::Error>>()?);
        }
        Ok(Self {
            model,
            logits,
            windows: half.windows.len(),
            kept,
            unedited,
            caches: forward.into_caches(),
            together: together.clamp(1, TOGETHER),
            forest,
            predictions,
        })
    }

    /// How many models are best measured together.
    pub fn together(&self) -> usize {
        self.together
    }

    /// What each of `edited`, copies of the model, makes of the text.
    ///
    /// # Errors
    /// If a model cannot be run, or what it predicts is not a finite number.
    pub fn measure(&mut self, edited: &[Model<B>]) -> Result<Vec<TextCost>> {
        let caches = std::mem::take(&mut self.caches);
        let mut forward = EditedForward::new(self.model, edited, edited.len() * self.forest.len(), caches)?;
        let (kept, forest) = (&mut self.kept, &self.forest);
        let hidden = final_hidden(&mut forward, kept, forest, &self.predictions, edited.len())?;
        self.caches = forward.into_caches();
        let wanted: Vec<Option<u32>> = self.predictions.iter().map(|it| it.in_window.map(|(_, token)| token)).collect();
        let mut found = vec![Vec::with_capacity(wanted.len()); edited.len()];
        let backend = self.model.backend();
        for (number, rows) in slices(wanted.len()).enumerate() {
            let made;
            let logits = match &self.logits {
                Some(logits) => &logits[number],
                None => {
                    made = self.model.logits_of(&backend.slice(&self.unedited, rows.clone())?)?;
                    &made
                }
            };
            for (hidden, found) in hidden.iter().zip(&mut found) {
                let hidden = backend.slice(hidden, rows.clone())?;
                found.extend(self.model.diverge(logits, &hidden, &wanted[rows.clone()])?);
            }
        }
        found
            .iter()
            .map(|found| {
                let mut cost = TextCost {
                    windows: vec![WindowCost { tokens: 0, nats: 0.0, kl: 0.0 }; self.windows],
                    first_token_kl: 0.0,
                };
                let mut prompts = 0;
                for (prediction, it) in self.predictions.iter().zip(found) {
                    match (prediction.in_window, it.logprob) {
                        (Some((window, _)), Some(logprob)) => {
                            let window = &mut cost.windows[window];
                            window.tokens += 1;
                            window.nats -= logprob;
                            window.kl += it.kl;
                        }
                        _ => {
                            prompts += 1;
                            cost.first_token_kl += it.kl;
                        }
                    }
                }
                cost.first_token_kl /= f64::from(prompts.max(1));
                let finite = cost.windows.iter().all(|it| it.nats.is_finite() && it.kl.is_finite());
                match finite && cost.first_token_kl.is_finite() {
                    true => Ok(cost),
                    false => Err(Error::NotFinite { id: "text".to_owned() }),
                }
            })
            .collect()
    }
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
