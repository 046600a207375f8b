//! The forward pass of a transformer, and token trees.
//!
//! A [`Model`] is loaded from a [`laser_checkpoint::Checkpoint`] onto a
//! [`Backend`](laser_kernels::Backend) and run in pieces: [`Model::embed`] gives the residual
//! stream before layer 0, [`Model::run`] takes it through any range of layers, [`Model::predict`]
//! reads next-token predictions off its end. Rows of a pass need not form a rectangle: a [`Batch`]
//! says where each row stands and which cached rows it sees, and a [`Forest`] keeps shared prefixes
//! once. An edited copy of a model knows its first edited layer.

mod backward;
mod batch;
mod block;
mod cache;
mod decoder;
mod device;
mod embedding;
mod error;
mod forest;
mod head;
mod layer;
mod loading;
mod observe;
mod rotary;
mod shared_expert;
mod transfer;
mod transformer;

pub use backward::{LossTerm, Sample};
pub use batch::Batch;
pub use cache::KeyValueCache;
pub use decoder::{Decoder, logprob};
pub use device::{Device, DeviceKind};
pub use error::{Error, Result};
pub use forest::{Forest, NodeId};
pub use observe::Streams;
pub use transformer::{Model, Replacement, layer_bytes};
