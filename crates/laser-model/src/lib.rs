//! The forward pass of a transformer, its tokenizer, and token trees.
//!
//! A [`Model`] is loaded from a [`laser_checkpoint::Checkpoint`] and run in pieces: [`Model::embed`] gives the residual
//! stream before layer 0, [`Model::run`] takes it through any range of layers, [`Model::predict`] reads next-token
//! predictions off its end. Rows of a pass need not form a rectangle: a [`Batch`] says where each row stands and which
//! cached rows it sees, and a [`Forest`] keeps shared prefixes once.

mod batch;
mod block;
mod cache;
mod device;
mod embedding;
mod error;
mod forest;
mod gradient;
mod head;
mod kernels;
mod layers;
mod mixture;
mod model;
mod rotary;
mod rows;

pub use batch::Batch;
pub use block::Block;
pub use cache::KeyValueCache;
pub use candle_core::{Device, Tensor};
pub use device::DeviceKind;
pub use error::{Error, Result};
pub use forest::{Forest, NodeId};
pub use gradient::{LossTerm, Sample};
pub use kernels::{Context, Products, Reading, products};
pub use laser_tokenizer::Tokenizer;
pub use model::Model;
pub use rows::Rows;
