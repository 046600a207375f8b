//! The sizes of a Decision Transformer, and its `config.json`.

use crate::board_planes::{FEATURES, PLANES};
use crate::error::{Error, Result};
use laser_sokoban::Move;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Actions.
pub(crate) const ACTIONS: usize = Move::ALL.len();
/// Tokens of a step: return to go, state, action.
pub(crate) const TOKENS: usize = 3;
/// The head that only training has.
pub(crate) const PLAN: &str = "predict_plan";
/// Four directions or none, of the player and of a box.
pub(crate) const PLAN_KINDS: usize = 2 * (ACTIONS + 1);
/// Epsilon of all norms.
pub(crate) const NORM_EPS: f64 = 1e-5;

/// The sizes of a Decision Transformer for Sokoban.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionShape {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Steps that the model sees at once, the present one among them.
    pub context: usize,
    /// Channels of the board's encoder.
    pub channels: usize,
    /// Pairs of convolutions of the board's encoder, after the first convolution.
    pub pairs: usize,
}

impl Default for DecisionShape {
    fn default() -> Self {
        Self { hidden: 128, layers: 6, heads: 4, context: 4, channels: 32, pairs: 3 }
    }
}

impl DecisionShape {
    /// The tensors' names and shapes, in the order of the forward pass.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let Self { hidden, layers, context, channels, pairs, .. } = *self;
        let mut tensors = Vec::new();
        for number in 0..=2 * pairs {
            let inputs = if number == 0 { PLANES } else { channels };
            tensors.push((format!("state_encoder.{number}.weight"), vec![channels, inputs, 3, 3]));
            tensors.push((format!("state_encoder.{number}.bias"), vec![channels]));
        }
        let mut linear = |name: &str, weight: Vec<usize>, bias: usize| {
            tensors.push((format!("{name}.weight"), weight));
            tensors.push((format!("{name}.bias"), vec![bias]));
        };
        linear("embed_state", vec![hidden, FEATURES * channels], hidden);
        linear("embed_return", vec![hidden, 1], hidden);
        linear("embed_action", vec![hidden, ACTIONS], hidden);
        linear("embed_ln", vec![hidden], hidden);
        for layer in 0..layers {
            let part = |part: &str| format!("encoder.h.{layer}.{part}");
            linear(&part("ln_1"), vec![hidden], hidden);
            linear(&part("attn.c_attn"), vec![hidden, 3 * hidden], 3 * hidden);
            linear(&part("attn.c_proj"), vec![hidden, hidden], hidden);
            linear(&part("ln_2"), vec![hidden], hidden);
            linear(&part("mlp.c_fc"), vec![hidden, 4 * hidden], 4 * hidden);
            linear(&part("mlp.c_proj"), vec![4 * hidden, hidden], hidden);
        }
        linear("encoder.ln_f", vec![hidden], hidden);
        linear("predict_action.0", vec![ACTIONS, hidden], ACTIONS);
        tensors.push(("embed_timestep.weight".to_owned(), vec![context, hidden]));
        tensors
    }

    /// Tensors that only training has: what the rest of the episode does on each cell is read off
    /// the encoder.
    pub(crate) fn training_tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = self.tensors();
        tensors.push((format!("{PLAN}.weight"), vec![PLAN_KINDS, self.channels]));
        tensors.push((format!("{PLAN}.bias"), vec![PLAN_KINDS]));
        tensors
    }

    /// Tensors that transformers has and that stay zero: no tokens of text, and no positions beside
    /// the time steps.
    pub(crate) fn unused_tensors(&self) -> Vec<(String, Vec<usize>)> {
        vec![
            ("encoder.wte.weight".to_owned(), vec![ACTIONS, self.hidden]),
            ("encoder.wpe.weight".to_owned(), vec![TOKENS * self.context, self.hidden]),
        ]
    }

    /// Whether the sizes fit each other.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<()> {
        let sizes = [self.hidden, self.layers, self.heads, self.context, self.channels];
        let why = if sizes.contains(&0) || sizes.iter().chain([&self.pairs]).any(|&size| size > 4096) {
            "sizes are from 1 to 4096"
        } else if !self.hidden.is_multiple_of(self.heads) {
            "the width is not a multiple of the number of heads"
        } else {
            return Ok(());
        };
        Err(Error::Shape(why.to_owned()))
    }

    /// `config.json`, as transformers' `DecisionTransformerConfig` has it.
    pub fn config(&self) -> Value {
        json!({
            "architectures": ["DecisionTransformerModel"],
            "model_type": "decision_transformer",
            "act_dim": ACTIONS,
            "action_tanh": false,
            "activation_function": "relu",
            "attn_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "hidden_size": self.hidden,
            "layer_norm_epsilon": NORM_EPS,
            "max_ep_len": self.context,
            "n_head": self.heads,
            "n_inner": 4 * self.hidden,
            "n_layer": self.layers,
            "n_positions": TOKENS * self.context,
            "resid_pdrop": 0.0,
            "state_channels": self.channels,
            "state_dim": FEATURES * self.channels,
            "state_pairs": self.pairs,
            "tie_word_embeddings": false,
            "torch_dtype": "float32",
            "vocab_size": ACTIONS,
        })
    }

    /// Reads what [`config`](Self::config) gives.
    ///
    /// # Errors
    /// It is not the `config.json` of such a model.
    pub fn from_config(config: &Value, path: &Path) -> Result<Self> {
        let wrong = |why: String| Error::File { path: path.to_owned(), why };
        let size = |key: &str| {
            let size = config[key].as_u64().and_then(|size| usize::try_from(size).ok());
            size.ok_or_else(|| {
                wrong(format!("`{key}` is not a size: it is not a Decision Transformer that this trained"))
            })
        };
        let shape = Self {
            hidden: size("hidden_size")?,
            layers: size("n_layer")?,
            heads: size("n_head")?,
            context: size("max_ep_len")?,
            channels: size("state_channels")?,
            pairs: size("state_pairs")?,
        };
        shape.check()?;
        match shape.config().as_object().and_then(|own| own.iter().find(|(key, value)| config[*key] != **value)) {
            Some((key, value)) => Err(wrong(format!("`{key}` is {}, not {value}", config[key]))),
            None => Ok(shape),
        }
    }
}
