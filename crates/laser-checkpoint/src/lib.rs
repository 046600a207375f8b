//! Weights on disk: architecture tables, reading safetensors, PyTorch and GGUF files, writing
//! edited models.
//!
//! [`Checkpoint::open`] takes a Hugging Face folder or a GGUF file, checks it against its family's
//! table ([`Architecture`]) and hands out one tensor at a time. [`write_model`] writes an edited
//! model in a [`ModelWriter`]'s form. There is no forward pass here.

mod architecture;
mod architecture_table;
mod block_kinds;
mod checkpoint;
mod config_reader;
mod config_shape;
mod config_source;
mod convention;
mod edited_checkpoint;
mod error;
mod file_hash;
mod gguf;
mod gguf_header;
mod hf_config;
mod hf_writer;
mod json_file;
mod mapped;
mod model_config;
mod model_writer;
mod param_id;
mod param_kind;
mod precision;
mod pytorch;
mod refused_weights;
mod rotary_config;
mod safetensors_file;
mod safetensors_shards;
mod settled_config;
mod sharded_weights;
mod staging;
mod storage_layout;
mod table_inheritance;
mod tensor_bytes;
mod tensor_check;
mod tensor_finder;
mod text_model;
mod tied_head;
mod weight_file;

pub use architecture::Architecture;
pub use block_kinds::{Activation, Norm, Residual, RotaryStyle};
pub use checkpoint::Checkpoint;
pub use edited_checkpoint::{EditRecord, EditedCheckpoint};
pub use error::{CheckpointError, Result};
pub use hf_writer::HuggingFaceWriter;
pub use model_config::{Config, Experts};
pub use model_writer::{ModelWriter, WriteOptions, write_model};
pub use param_kind::ParamKind;
pub use precision::Precision;
pub use rotary_config::{RopeScaling, RotaryConfig};
pub use staging::Staging;
