//! Edited models on disk.
//!
//! [`write_model`] writes a checkpoint with [`Changes`] to it in the form of a [`ModelWriter`], one
//! tensor in memory at a time. The target appears complete and checked, or not at all.

mod companion_files;
mod edited_checkpoint;
mod error;
mod factored_config;
mod factored_plan;
mod factored_writer;
mod gguf_file;
mod gguf_writer;
mod hf_writer;
mod lora_writer;
mod model_writer;
mod patch_file;
mod patch_writer;
mod placed_params;
mod removed_factors;
mod removed_part;
mod safetensors_shards;
mod same_config;
mod staged_file;
mod staging;
mod thin_factors;

pub use edited_checkpoint::{Changes, EditRecord, EditedCheckpoint, Stored};
pub use error::{Result, WriteError};
pub use factored_writer::FactoredWriter;
pub use gguf_writer::GgufWriter;
pub use hf_writer::HuggingFaceWriter;
pub use laser_files::Form;
pub use lora_writer::LoraWriter;
pub use model_writer::{Card, Check, ModelWriter, WriteOptions, Written, write_model};
pub use patch_file::Patch;
pub use patch_writer::PatchWriter;
pub use staged_file::StagedFile;
pub use staging::Staging;
