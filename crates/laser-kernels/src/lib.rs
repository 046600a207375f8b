//! The operations that a transformer's block is made of, behind one trait.
//!
//! A [`Backend`] says what a model asks of the machine that computes it; a model is written once,
//! over any of them. [`Cpu`] has kernels of our own. [`Reference`] is plain and slow: candle's
//! operations, which gradients go through. It is what the other backends are tested against, and it
//! serves Metal.
//!
//! Nothing in the trait assumes that activations lie in host memory, and no operation of a block
//! needs to read any back: what comes out of an operation is a handle that the next one takes.

mod backend;
mod cpu;
mod divergence;
mod error;
mod expert_choice;
mod kv_indices;
mod parts;
mod reading;
mod reference;
mod weight_source;

pub use backend::{Backend, LinearOn, MixtureOn, MlpOn, NormOn, OverRangesOn, RotationOn};
pub use cpu::{Cpu, CpuHead, CpuRows, CpuTable, CpuWeight, Products, products};
pub use divergence::Divergence;
pub use error::{Error, Result};
pub use expert_choice::ExpertChoice;
pub use kv_indices::KvIndices;
pub use parts::{
    Activation, AttentionScores, Linear, Mixture, Mlp, Norm, NormKind, OverRanges, Precision, RotaryPairs, Rotation,
};
pub use reading::Reading;
pub use reference::{Differentiable, Passed, Reference, ReferenceHead, ReferenceTable, ReferenceWeight, Tap};
pub use weight_source::{SourceError, WeightSource};
