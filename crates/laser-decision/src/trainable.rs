//! The model with gradients: the plain forward pass over windows in candle's operations.

use crate::board_planes::{PLANES, PLAYER, SEEN};
use crate::decision_shape::{DecisionShape, NORM_EPS, PLAN, PLAN_KINDS, TOKENS};
use crate::error::Result;
use crate::gradient_ops::{layer_norm, neighbourhoods};
use crate::named_tensors::Values;
use crate::training_windows::Windows;
use candle_core::{D, Device, Tensor, Var};
use candle_nn::ops::log_softmax;
use laser_example::SplitMix64;
use std::collections::BTreeMap;

/// Weights that are being trained.
pub(crate) struct Trainable {
    shape: DecisionShape,
    vars: BTreeMap<String, Var>,
}

/// What windows cost.
pub(crate) struct Loss {
    /// The summed negative log-probability of the planned moves, nats.
    pub moves: Tensor,
    /// The same of what the rest of the episode does on each cell, over their number.
    pub plan: Tensor,
    /// How many of the planned moves are the most likely ones.
    pub right: usize,
}

impl Trainable {
    /// A model of these weights.
    pub fn new(shape: DecisionShape, weights: &BTreeMap<String, Values>) -> Result<Self> {
        let var = |(name, it): (&String, &Values)| {
            Ok((name.clone(), Var::from_slice(&it.values, it.shape.as_slice(), &Device::Cpu)?))
        };
        Ok(Self { shape, vars: weights.iter().map(var).collect::<Result<_>>()? })
    }

    /// The variables, by name.
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// The losses of windows.
    pub fn loss(&self, windows: &Windows) -> Result<Loss> {
        let features = self.features(windows, windows.count * self.shape.context)?;
        let logits = self.logits(windows, &features)?;
        let planned = Tensor::new(windows.planned.as_slice(), &Device::Cpu)?;
        let right = logits.argmax(D::Minus1)?.eq(&planned)?.to_vec1::<u8>()?.into_iter().map(usize::from).sum();
        let logprobs = log_softmax(&logits, D::Minus1)?.gather(&planned.unsqueeze(1)?, 1)?;
        let rows = windows.plan.len();
        let plan = self.linear(&features.reshape((rows / 2, self.shape.channels))?, PLAN)?;
        let plan = log_softmax(&plan.reshape((rows, PLAN_KINDS / 2))?, D::Minus1)?;
        let plan = plan.gather(&Tensor::from_slice(&windows.plan, (rows, 1), &Device::Cpu)?, 1)?;
        Ok(Loss { moves: logprobs.sum_all()?.neg()?, plan: (plan.sum_all()?.neg()? / SEEN as f64)?, right })
    }

    /// The logits of the move of each step, `[count * context, ACTIONS]`.
    pub fn logits(&self, windows: &Windows, features: &Tensor) -> Result<Tensor> {
        let DecisionShape { hidden, layers, context, .. } = self.shape;
        let (count, steps) = (windows.count, windows.count * context);
        let time = self.var("embed_timestep.weight");
        let timed = |x: Tensor| x.reshape((count, context, hidden))?.broadcast_add(time);
        let state = timed(self.linear(&self.with_player(features, windows)?, "embed_state")?)?;
        let returns = Tensor::from_slice(&windows.returns, (steps, 1), &Device::Cpu)?;
        let returns = timed(self.linear(&returns, "embed_return")?)?;
        let played = Tensor::new(windows.played.as_slice(), &Device::Cpu)?;
        let action = self.var("embed_action.weight").t()?.contiguous()?.index_select(&played, 0)?;
        let action = timed(action.broadcast_add(self.var("embed_action.bias"))?)?;

        // The last action is not known yet.
        let length = TOKENS * context - 1;
        let x = Tensor::stack(&[returns, state, action], 2)?.reshape((count, TOKENS * context, hidden))?;
        let x = x.narrow(1, 0, length)?.contiguous()?.reshape((count * length, hidden))?;
        let mut x = self.norm(&x, "embed_ln")?;
        let mask: Vec<f32> =
            (0..length * length).map(|i| if i % length > i / length { f32::NEG_INFINITY } else { 0.0 }).collect();
        let mask = Tensor::from_vec(mask, (length, length), &Device::Cpu)?;
        for layer in 0..layers {
            x = self.block(&x, layer, count, length, &mask)?;
        }
        let states: Vec<u32> = (0..context).map(|step| (TOKENS * step + 1) as u32).collect();
        let x = x.reshape((count, length, hidden))?.index_select(&Tensor::new(states, &Device::Cpu)?, 1)?;
        let x = self.norm(&x.reshape((steps, hidden))?, "encoder.ln_f")?;
        self.linear(&x, "predict_action.0")
    }

    /// What the board's encoder makes of each state, `[steps, SEEN * channels]`.
    pub fn features(&self, windows: &Windows, steps: usize) -> Result<Tensor> {
        let x = Tensor::from_slice(&windows.planes, (steps, SEEN, PLANES), &Device::Cpu)?;
        let mut x = self.convolution(&x, 0)?.relu()?;
        for pair in 0..self.shape.pairs {
            let inner = self.convolution(&x, 2 * pair + 1)?.relu()?;
            x = (x + self.convolution(&inner, 2 * pair + 2)?)?.relu()?;
        }
        Ok(x.reshape((steps, SEEN * self.shape.channels))?)
    }

    /// The same, and behind it once more what it is of the player's cell, `[steps, FEATURES *
    /// channels]`.
    fn with_player(&self, features: &Tensor, windows: &Windows) -> Result<Tensor> {
        let steps = windows.count * self.shape.context;
        let planes = Tensor::from_slice(&windows.planes, (steps, SEEN, PLANES), &Device::Cpu)?;
        let player = planes.narrow(2, PLAYER, 1)?;
        let of_player = features.reshape((steps, SEEN, self.shape.channels))?.broadcast_mul(&player)?.sum(1)?;
        Ok(Tensor::cat(&[features, &of_player], 1)?)
    }

    fn convolution(&self, x: &Tensor, number: usize) -> Result<Tensor> {
        let (boards, _, inputs) = x.dims3()?;
        let channels = self.shape.channels;
        let weight = self.var(&format!("state_encoder.{number}.weight"));
        let matrix = weight.reshape((channels, inputs, 9))?.permute((2, 1, 0))?.contiguous()?;
        let y = neighbourhoods(x)?.matmul(&matrix.reshape((9 * inputs, channels))?)?;
        let y = y.broadcast_add(self.var(&format!("state_encoder.{number}.bias")))?;
        Ok(y.reshape((boards, SEEN, channels))?)
    }

    fn block(&self, x: &Tensor, layer: usize, count: usize, length: usize, mask: &Tensor) -> Result<Tensor> {
        let DecisionShape { hidden, heads, .. } = self.shape;
        let part = |part: &str| format!("encoder.h.{layer}.{part}");
        let head = hidden / heads;
        let fused = self.conv1d(&self.norm(x, &part("ln_1"))?, &part("attn.c_attn"))?;
        let third = |number: usize| -> Result<Tensor> {
            let x = fused.narrow(1, number * hidden, hidden)?.reshape((count, length, heads, head))?;
            Ok(x.transpose(1, 2)?.contiguous()?)
        };
        let scores = (third(0)?.matmul(&third(1)?.t()?)? / (head as f64).sqrt())?.broadcast_add(mask)?;
        let mixed = log_softmax(&scores, D::Minus1)?.exp()?.matmul(&third(2)?)?;
        let mixed = mixed.transpose(1, 2)?.reshape((count * length, hidden))?;
        let x = (x + self.conv1d(&mixed, &part("attn.c_proj"))?)?;
        let inner = self.conv1d(&self.norm(&x, &part("ln_2"))?, &part("mlp.c_fc"))?.relu()?;
        Ok((&x + self.conv1d(&inner, &part("mlp.c_proj"))?)?)
    }

    /// A weight `[outputs, inputs]`.
    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let weight = self.var(&format!("{name}.weight"));
        Ok(x.matmul(&weight.t()?)?.broadcast_add(self.var(&format!("{name}.bias")))?)
    }

    /// A weight `[inputs, outputs]`.
    fn conv1d(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let weight = self.var(&format!("{name}.weight"));
        Ok(x.matmul(weight)?.broadcast_add(self.var(&format!("{name}.bias")))?)
    }

    fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let (weight, bias) = (self.var(&format!("{name}.weight")), self.var(&format!("{name}.bias")));
        Ok(layer_norm(x, weight, bias, NORM_EPS)?)
    }

    fn var(&self, name: &str) -> &Tensor {
        self.vars[name].as_tensor()
    }
}

/// Random weights to begin with: GPT-2's for the blocks, He's for the convolutions.
pub(crate) fn first_weights(shape: &DecisionShape, seed: u64) -> BTreeMap<String, Values> {
    let mut random = SplitMix64::new(seed);
    let mut uniform = move || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    // Box and Muller.
    let mut normal = move || (-2.0 * (1.0 - uniform()).ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    let mut weights = BTreeMap::new();
    for (name, dims) in shape.training_tensors() {
        let size: usize = dims.iter().product();
        let fan_in = size / dims[0];
        let deviation = if name.ends_with(".bias") {
            0.0
        } else if name.starts_with("state_encoder") {
            // The second of a pair begins small, so that a pair begins as nothing.
            let is_second =
                name.split('.').nth(1).and_then(|it| it.parse::<usize>().ok()).is_some_and(|it| it > 0 && it % 2 == 0);
            (2.0 / fan_in as f64).sqrt() * if is_second { 0.3 } else { 1.0 }
        } else if name == "embed_state.weight" {
            (1.0 / fan_in as f64).sqrt()
        } else if name.ends_with("c_proj.weight") {
            0.02 / (2.0 * shape.layers as f64).sqrt()
        } else if name.starts_with("embed") {
            0.2
        } else {
            0.02
        };
        let is_norm = name.ends_with(".weight") && dims.len() == 1;
        let value = |_| if is_norm { 1.0 } else { (deviation * normal()) as f32 };
        weights.insert(name, Values { values: (0..size).map(value).collect(), shape: dims });
    }
    weights
}
