//! What a block may be made of: norms, activations, rotary positions, residual layouts.

use serde::Deserialize;

/// A kind of normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// x / sqrt(mean(x^2) + eps) * weight.
    Rms,
    /// (x - mean(x)) / sqrt(var(x) + eps) * weight + bias.
    Layer,
}

/// What the norms of queries and keys run over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormWidth {
    /// Each head on its own.
    #[default]
    Head,
    /// All heads together.
    All,
}

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x * sigmoid(x).
    Silu,
    /// x * Phi(x), Phi the standard normal distribution function.
    Gelu,
    /// GELU by the tanh approximation.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// max(x, 0)^2.
    ReluSquared,
}

impl Activation {
    /// transformers' names for each; the first is the one that is written.
    const NAMES: [(Self, &[&str]); 5] = [
        (Self::Silu, &["silu", "swish"]),
        (Self::Gelu, &["gelu"]),
        (Self::GeluTanh, &["gelu_pytorch_tanh", "gelu_new", "gelu_fast"]),
        (Self::Relu, &["relu"]),
        (Self::ReluSquared, &["relu2"]),
    ];

    /// The function that a configuration names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, names)| names.contains(&name)).map(|&(activation, _)| activation)
    }

    /// Its name in a configuration.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(activation, _)| *activation == self).map_or("", |(_, names)| names[0])
    }

    /// Every name, joined by commas.
    pub(crate) fn names() -> String {
        let names: Vec<&str> = Self::NAMES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        names.join(", ")
    }
}

/// How rotary positions pair a head's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryStyle {
    /// Component i with component i + rotary dimensions / 2.
    Half,
    /// Component 2i with component 2i + 1.
    Interleaved,
}

/// A table's `rotary`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BlockRotary {
    #[default]
    None,
    Half,
    Interleaved,
}

impl BlockRotary {
    pub(crate) fn style(self) -> Option<RotaryStyle> {
        match self {
            Self::None => None,
            Self::Half => Some(RotaryStyle::Half),
            Self::Interleaved => Some(RotaryStyle::Interleaved),
        }
    }
}

/// How transformers opens a family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InTransformers {
    /// By a class of its own, whose tensors have the names that files have.
    #[default]
    Native,
    /// By another family's class: tensors get that one's names when they are read.
    Renamed,
    /// Only by code that comes with the model.
    Remote,
}

/// A table's `rotated_layers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RotatedLayers {
    #[default]
    All,
    /// Those with a window, if there are any.
    Windowed,
}

/// Where a block's norms stand, and what its MLP starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// x += attention(norm(x)); x += mlp(norm(x)).
    #[default]
    Pre,
    /// x = norm(x + attention(x)); x = norm(x + mlp(x)).
    Post,
    /// x += attention(norm(x)) + mlp(norm(x)), with one norm or two.
    Parallel,
}
