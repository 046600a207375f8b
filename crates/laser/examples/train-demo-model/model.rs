//! The model, in operations that have gradients.

use crate::settings::*;
use anyhow::Result;
use candle_core::{D, Device, Tensor};
use candle_nn::ops::softmax;
use laser_matrix::Matrix;
use std::collections::BTreeMap;

/// LlamaForCausalLM, its weights by their Hugging Face names.
#[derive(Clone)]
pub struct Model(pub BTreeMap<String, Tensor>);

pub fn matrix_name(layer: usize, part: &str) -> String {
    format!("model.layers.{layer}.{part}.weight")
}

/// Tensor names and shapes; the norms are the vectors.
pub fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![(EMBEDDING.to_owned(), vec![VOCABULARY, WIDTH])];
    for layer in 0..LAYERS {
        for (_, part) in MATRICES {
            let shape = match part {
                "mlp.gate_proj" | "mlp.up_proj" => vec![MLP, WIDTH],
                "mlp.down_proj" => vec![WIDTH, MLP],
                _ => vec![WIDTH, WIDTH],
            };
            shapes.push((matrix_name(layer, part), shape));
        }
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            shapes.push((matrix_name(layer, norm), vec![WIDTH]));
        }
    }
    shapes.push(("model.norm.weight".to_owned(), vec![WIDTH]));
    shapes.push(("lm_head.weight".to_owned(), vec![VOCABULARY, WIDTH]));
    shapes
}

impl Model {
    /// Logits (positions, vocabulary) at `positions` of the flattened token ids (sequences, length).
    ///
    /// Plain operations only: candle's fused softmax, norm and rotary embedding have no gradient.
    pub fn logits(&self, ids: &Tensor, positions: &[u32]) -> Result<Tensor> {
        let (batch, length) = ids.dims2()?;
        let rotary = Rotary::new(length)?;
        let mask: Vec<f32> =
            (0..length * length).map(|i| if i % length > i / length { f32::NEG_INFINITY } else { 0.0 }).collect();
        let mask = Tensor::from_vec(mask, (length, length), &Device::Cpu)?;
        let heads = |x: Tensor| -> Result<Tensor> {
            Ok(x.reshape((batch, length, HEADS, HEAD))?.transpose(1, 2)?.contiguous()?)
        };

        let mut x = self.0[EMBEDDING].index_select(&ids.flatten_all()?, 0)?;
        for layer in 0..LAYERS {
            let normed = self.norm(&x, &matrix_name(layer, "input_layernorm"))?;
            let q = rotary.apply(&heads(self.linear(&normed, layer, "self_attn.q_proj")?)?)?;
            let k = rotary.apply(&heads(self.linear(&normed, layer, "self_attn.k_proj")?)?)?;
            let v = heads(self.linear(&normed, layer, "self_attn.v_proj")?)?;
            let scores = (q.matmul(&k.t()?)? / (HEAD as f64).sqrt())?.broadcast_add(&mask)?;
            let mixed = softmax(&scores, D::Minus1)?.matmul(&v)?.transpose(1, 2)?;
            let mixed = mixed.reshape((batch * length, WIDTH))?;
            x = (x + self.linear(&mixed, layer, "self_attn.o_proj")?)?;

            let normed = self.norm(&x, &matrix_name(layer, "post_attention_layernorm"))?;
            let gate = self.linear(&normed, layer, "mlp.gate_proj")?.silu()?;
            let up = self.linear(&normed, layer, "mlp.up_proj")?;
            x = (x + self.linear(&(gate * up)?, layer, "mlp.down_proj")?)?;
        }
        let x = x.index_select(&Tensor::new(positions, &Device::Cpu)?, 0)?;
        Ok(self.norm(&x, "model.norm.weight")?.matmul(&self.0["lm_head.weight"].t()?)?)
    }

    pub fn linear(&self, x: &Tensor, layer: usize, part: &str) -> Result<Tensor> {
        Ok(x.matmul(&self.0[&matrix_name(layer, part)].t()?)?)
    }

    pub fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let rms = (x.sqr()?.mean_keepdim(D::Minus1)? + EPS)?.sqrt()?;
        Ok(x.broadcast_div(&rms)?.broadcast_mul(&self.0[name])?)
    }

    pub fn matrix(&self, name: &str) -> Result<Matrix> {
        let tensor = &self.0[name];
        let (rows, cols) = tensor.dims2()?;
        Ok(Matrix::new(rows, cols, tensor.flatten_all()?.to_vec1()?)?)
    }

    pub fn with_matrix(&self, name: &str, matrix: &Matrix) -> Result<Self> {
        let mut model = self.clone();
        let tensor = Tensor::from_slice(matrix.data(), (matrix.rows(), matrix.cols()), &Device::Cpu)?;
        model.0.insert(name.to_owned(), tensor);
        Ok(model)
    }
}

/// The half-split rotary embedding; cosines and sines are (length, head size).
pub struct Rotary {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    pub fn new(length: usize) -> Result<Self> {
        let angles: Vec<f32> = (0..length * HEAD)
            .map(|i| {
                let (position, pair) = (i / HEAD, i % HEAD % (HEAD / 2));
                (position as f64 / ROPE_THETA.powf(2.0 * pair as f64 / HEAD as f64)) as f32
            })
            .collect();
        let angles = Tensor::from_vec(angles, (length, HEAD), &Device::Cpu)?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()? })
    }

    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let first = x.narrow(D::Minus1, 0, HEAD / 2)?;
        let second = x.narrow(D::Minus1, HEAD / 2, HEAD / 2)?;
        let turned = Tensor::cat(&[&second.neg()?, &first], D::Minus1)?;
        Ok((x.broadcast_mul(&self.cos)? + turned.broadcast_mul(&self.sin)?)?)
    }
}
