//! Weights on disk: architecture tables, reading safetensors, PyTorch and GGUF files.
//!
//! [`Checkpoint::open`] takes a Hugging Face folder or a GGUF file, checks it against its family's
//! table ([`Architecture`]) and hands out one tensor at a time. There is no forward pass here, and
//! nothing is written: that is `laser-writers`.

mod architecture;
mod architecture_table;
mod block_kinds;
mod checkpoint;
mod checkpoint_tensors;
mod checkpoint_values;
mod config_reader;
mod config_shape;
mod config_source;
mod convention;
mod error;
mod factored;
mod file_hash;
mod gguf;
mod gguf_config;
mod gguf_header;
mod hf_config;
mod json_file;
mod mapped;
mod model_config;
mod param_id;
mod param_kind;
mod precision;
mod pytorch;
mod refused_weights;
mod rotary_config;
mod safetensors_file;
mod settled_config;
mod sharded_weights;
mod storage_layout;
mod table_inheritance;
mod tensor_bytes;
mod tensor_check;
mod tensor_finder;
mod text_model;
mod tied_head;
mod weight_file;

pub use architecture::Architecture;
pub use block_kinds::{Activation, InTransformers, Norm, Residual, RotaryStyle};
pub use checkpoint::Checkpoint;
pub use convention::Convention;
pub use error::{CheckpointError, Result};
pub use gguf_config::{gguf_config, rope_factors};
pub use hf_config::huggingface_config;
pub use model_config::{Config, Experts};
pub use param_id::ParamId;
pub use param_kind::ParamKind;
pub use precision::Precision;
pub use rotary_config::{RopeScaling, RotaryConfig};
pub use storage_layout::StorageLayout;
pub use weight_file::{ElementType, StoredTensor};
