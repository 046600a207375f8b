//! The board's encoder without gradients.

use crate::board_planes::{FEATURES, PLANES, PLAYER, SEEN};
use crate::decision_shape::DecisionShape;
use crate::error::Result;
use crate::gradient_ops::each_neighbour;
use crate::named_tensors::{NamedTensors, Values};
use laser_kernels::{Activation, Backend, Linear, LinearOn, Precision};
use laser_matrix::Matrix;
use std::sync::Arc;

/// How many boards go through it together: their neighbourhoods stay in the cache.
const TOGETHER: usize = 32;

/// Convolutions, and the product that makes an embedding of what they give.
#[derive(Debug)]
pub(crate) struct StateEncoder<B: Backend> {
    convolutions: Vec<LinearOn<B>>,
    embed: LinearOn<B>,
    channels: usize,
}

impl<B: Backend> StateEncoder<B> {
    pub fn new(backend: &B, shape: &DecisionShape, weights: &NamedTensors) -> Result<Self> {
        let convolution = |number: usize| {
            let weight = weights.get(&format!("state_encoder.{number}.weight"))?;
            let inputs = weight.shape[1];
            // [outputs, inputs, neighbour] becomes [outputs, neighbour, inputs].
            let mut values = Vec::with_capacity(weight.values.len());
            for of_output in weight.values.chunks_exact(9 * inputs) {
                for neighbour in 0..9 {
                    values.extend((0..inputs).map(|input| of_output[9 * input + neighbour]));
                }
            }
            let bias = weights.get(&format!("state_encoder.{number}.bias"))?;
            linear_of(backend, Values { shape: vec![shape.channels, 9 * inputs], values }, bias)
        };
        let embed = linear_of(backend, weights.get("embed_state.weight")?.clone(), weights.get("embed_state.bias")?)?;
        let convolutions = (0..=2 * shape.pairs).map(convolution).collect::<Result<_>>()?;
        Ok(Self { convolutions, embed, channels: shape.channels })
    }

    /// The embeddings of boards with these planes `[boards, SEEN, PLANES]`, `[boards, hidden]`.
    pub fn embed(&self, backend: &B, planes: &[f32]) -> Result<Vec<f32>> {
        let mut embedded = Vec::new();
        for planes in planes.chunks(TOGETHER * SEEN * PLANES) {
            let features = backend.rows(self.features(backend, planes)?, FEATURES * self.channels)?;
            embedded.extend(backend.to_host(&backend.linear(&features, &self.embed)?)?);
        }
        Ok(embedded)
    }

    /// What the convolutions make of each seen cell of boards, and once more of the player's cell,
    /// `[boards, FEATURES * channels]`.
    pub fn features(&self, backend: &B, planes: &[f32]) -> Result<Vec<f32>> {
        let apply = |x: &[f32], width: usize, number: usize| -> Result<B::Rows> {
            let rows = backend.rows(neighbourhoods(x, width), 9 * width)?;
            Ok(backend.linear(&rows, &self.convolutions[number])?)
        };
        let relu = |x: &B::Rows| backend.activate(x, Activation::Relu);
        let mut x = relu(&apply(planes, PLANES, 0)?)?;
        for pair in 0..self.convolutions.len() / 2 {
            let inner = relu(&apply(&backend.to_host(&x)?, self.channels, 2 * pair + 1)?)?;
            let added = apply(&backend.to_host(&inner)?, self.channels, 2 * pair + 2)?;
            x = relu(&backend.add(&x, &added)?)?;
        }
        let mut features = Vec::with_capacity(planes.len() / (SEEN * PLANES) * FEATURES * self.channels);
        for (cells, planes) in backend.to_host(&x)?.chunks(SEEN * self.channels).zip(planes.chunks(SEEN * PLANES)) {
            features.extend(cells);
            let player = planes.chunks(PLANES).position(|cell| cell[PLAYER] > 0.0).unwrap_or(0);
            features.extend(&cells[player * self.channels..][..self.channels]);
        }
        Ok(features)
    }
}

/// A weight `[outputs, inputs]` and its bias.
pub(crate) fn linear_of<B: Backend>(backend: &B, weight: Values, bias: &Values) -> Result<LinearOn<B>> {
    let matrix = Matrix::new(weight.shape[0], weight.shape[1], weight.values)
        .map_err(|error| laser_kernels::Error::Operands { op: "weight", why: error.to_string() })?;
    let bias = Some(backend.vector(bias.values.clone())?);
    Ok(Linear { weight: Arc::new(backend.weight(&matrix, Precision::F32)?), bias })
}

/// For each seen cell the values of its 3 x 3 neighbourhood.
fn neighbourhoods(x: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0f32; x.len() * 9];
    for (board, out) in x.chunks_exact(SEEN * width).zip(out.chunks_exact_mut(SEEN * 9 * width)) {
        each_neighbour(|cell, number, other| {
            out[(cell * 9 + number) * width..][..width].copy_from_slice(&board[other * width..][..width]);
        });
    }
    out
}
