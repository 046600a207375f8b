//! What the operations of a block are told beside their rows: weights that belong together, and how
//! they are meant.
//!
//! The parts are generic over the backend's handles: `W` a weight, `V` a vector, `R` rows.

use crate::expert_choice::ExpertChoice;
use std::ops::Range;
use std::sync::Arc;

/// In what weights and inputs are multiplied; sums are made in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    F32,
    /// Rounded to eight bits of mantissa.
    Bf16,
}

/// How rows are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// x / sqrt(mean(x^2) + eps) * weight + bias (Zhang and Sennrich, arXiv 1910.07467).
    Rms,
    /// (x - mean(x)) / sqrt(var(x) + eps) * weight + bias (Ba et al., arXiv 1607.06450).
    Layer,
}

/// An MLP's activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x * sigmoid(x).
    Silu,
    /// x * Phi(x), Phi the standard normal distribution function.
    Gelu,
    /// GELU by the tanh approximation.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// max(x, 0)^2 (So et al., arXiv 2109.08668).
    ReluSquared,
}

/// How the elements of a head are paired for rotary positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Element i with element i + n, for n pairs.
    Halves,
    /// Element 2i with element 2i + 1.
    Neighbours,
}

/// How a query's scores are made of its products with the keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionScores {
    /// What products are multiplied by, usually 1 / sqrt(head_dim).
    pub scale: f32,
    /// Then a score s becomes cap * tanh(s / cap).
    pub softcap: Option<f32>,
    /// Then it falls with distance: by each head's slope per row that lies between the query's last
    /// row and its own (ALiBi; Press et al., arXiv 2108.12409). Of n heads, a power of two, head h
    /// counted from 1 has the slope 2^(-alibi h / n).
    pub alibi: Option<f32>,
}

impl AttentionScores {
    /// The slopes of `heads` heads, if scores fall with distance. Where their number is not a power of
    /// two, the heads above the next smaller one, n, have those of heads 1, 3, 5 ... of 2 n.
    pub fn slopes(&self, heads: usize) -> Option<Vec<f32>> {
        let alibi = f64::from(self.alibi?);
        let below = if heads == 0 { 1 } else { 1 << heads.ilog2() };
        let exponent = |head: usize| match head.checked_sub(below) {
            None => (head + 1) as f64 / below as f64,
            Some(above) => (2 * above + 1) as f64 / (2 * below) as f64,
        };
        Some((0..heads).map(|head| (-alibi * exponent(head)).exp2() as f32).collect())
    }
}

/// A normalisation of rows, or of pieces of them that are as long as the weights.
#[derive(Debug, Clone)]
pub struct Norm<V> {
    /// Which.
    pub kind: NormKind,
    /// What is added to the mean square or the variance.
    pub eps: f64,
    /// `[width]`.
    pub weight: V,
    /// `[width]`.
    pub bias: V,
}

/// A weight matrix `[outputs, inputs]` and its optional bias `[outputs]`.
#[derive(Debug, Clone)]
pub struct Linear<W, V> {
    /// The matrix. The same one in two places is multiplied by once.
    pub weight: Arc<W>,
    /// What is added to each row of the product.
    pub bias: Option<V>,
}

/// A weight, and the ranges of rows that it is for, in order.
pub type OverRanges<'a, W, V> = (&'a Linear<W, V>, Vec<Range<usize>>);

/// fc_out(activation(fc_in x)), or with a gate fc_out(activation(fc_in x) * fc_up x).
#[derive(Debug, Clone)]
pub struct Mlp<W, V> {
    /// The function of the inner rows.
    pub activation: Activation,
    /// To the inner rows; of a gated MLP the gate.
    pub fc_in: Linear<W, V>,
    /// What a gate is multiplied by.
    pub fc_up: Option<Linear<W, V>>,
    /// Back from the inner rows.
    pub fc_out: Linear<W, V>,
}

/// A mixture of experts: each row goes through a few of several MLPs (Shazeer et al., arXiv
/// 1701.06538).
#[derive(Debug, Clone)]
pub struct Mixture<W, V> {
    /// Gives the logits of the experts.
    pub router: Linear<W, V>,
    /// How the experts of a row follow from them.
    pub choice: ExpertChoice,
    /// The experts.
    pub experts: Vec<Mlp<W, V>>,
}

/// Rotary positions of some rows: the cosines and sines of their angles, each `[rows, pairs]`.
#[derive(Debug, Clone)]
pub struct Rotation<R> {
    /// Which elements of a head turn together.
    pub pairs: RotaryPairs,
    /// Cosines.
    pub cos: R,
    /// Sines.
    pub sin: R,
}
