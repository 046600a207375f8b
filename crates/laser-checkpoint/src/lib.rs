//! Weights on disk: architecture tables, safetensors and GGUF reading, interventions, writing.
//!
//! [`Checkpoint::open`] takes a Hugging Face folder or a GGUF file, checks it against its family's table
//! ([`Architecture`]) and hands out one tensor at a time. There is no forward pass here.

mod architecture;
mod checkpoint;
mod config;
mod config_shape;
mod error;
mod files;
mod folder_files;
mod gguf;
mod gguf_write;
mod hf_config;
mod mapped;
mod placement;
mod precision;
mod pytorch;
mod role;
mod rope;
mod safetensors_file;
mod staging;
mod write;

pub use architecture::{Activation, Architecture, Norm, Residual, RotaryStyle};
pub use checkpoint::Checkpoint;
pub use config::{Config, Experts};
pub use error::{CheckpointError, Result};
pub use gguf_write::{GgufValue, GgufWriter};
pub use laser_edit::{
    Edit, EditError, FileHash, Intervention, InterventionSpec, Layers, MatrixGroup, MatrixId, MatrixKind,
};
pub use precision::Precision;
pub use role::Slot;
pub use rope::{RopeScaling, RotaryConfig};
pub use write::{EditRecord, WriteOptions, write_huggingface};
