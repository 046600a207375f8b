//! Checkpoints: opened as a whole, and every tensor of what opens is read.

use std::path::Path;

use laser_checkpoint::{Architecture, Checkpoint, ParamId, ParamKind, gguf_config, huggingface_config, rope_factors};
use laser_edit::{MatrixId, MatrixKind, ModelShape};
use laser_tokenizer::{GGUF_KEYS, Tokenizer};
use safetensors::Dtype;

use crate::{header_grammar, scratch::with_files, sections::parts, tiny_model, tokenizer_bodies::use_tokenizer};

/// Of a model of any size no more than this is read.
const MOST_VALUES: usize = 1 << 16;

pub(crate) fn safetensors(input: &[u8]) {
    let config = tiny_model::config().to_string();
    with_files(&[("config.json", config.as_bytes()), ("model.safetensors", input)], |folder| read(folder, None));
}

pub(crate) fn pickle(input: &[u8]) {
    let config = tiny_model::config().to_string();
    with_files(&[("config.json", config.as_bytes()), ("pytorch_model.bin", input)], |folder| read(folder, None));
}

pub(crate) fn gguf(input: &[u8]) {
    with_files(&[("model.gguf", input)], |folder| {
        let path = folder.join("model.gguf");
        read(&path, None);
        if let Ok(checkpoint) = Checkpoint::open(&path)
            && let Ok(Some(metadata)) = checkpoint.metadata(&GGUF_KEYS)
            && let Ok(tokenizer) = Tokenizer::open(&path, Some(&metadata))
        {
            use_tokenizer(tokenizer);
        }
    });
}

/// What a folder of a model says of itself, over the tiny model's weights.
pub(crate) fn config(input: &[u8]) {
    const NAMES: [&str; 6] = [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "adapter_config.json",
        "table.toml",
    ];
    let mut files = parts(input);
    files.retain(|(name, _)| NAMES.contains(&&**name));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (&**name, &**content)).collect();
    with_files(&files, |folder| {
        read(folder, None);
        if let Ok(table) = Architecture::open(&folder.join("table.toml")) {
            read(folder, Some(table));
        }
    });
}

/// An architecture's table, and the tiny model read by it.
pub(crate) fn table(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(table) = Architecture::from_toml("fuzz", &text) else { return };
    let config = tiny_model::config().to_string();
    let weights = header_grammar::whole_safetensors();
    with_files(&[("config.json", config.as_bytes()), ("model.safetensors", &weights)], |folder| {
        read(folder, Some(table));
    });
}

fn read(path: &Path, table: Option<Architecture>) {
    let Ok(checkpoint) = Checkpoint::open_as(path, table) else { return };
    let (architecture, config) = (checkpoint.architecture(), checkpoint.config());
    let _ = huggingface_config(architecture, config, Dtype::F32, Some(0));
    let _ = (gguf_config(architecture, config), rope_factors(architecture, config));
    let _ = checkpoint.settled_config();
    for kind in [ParamKind::Embedding, ParamKind::Positions, ParamKind::TokenTypes, ParamKind::Head] {
        let _ = checkpoint.table(kind);
        let _ = checkpoint.stored_precision(ParamId::of(kind));
    }
    let _ = (checkpoint.norm(ParamKind::FinalNorm, 0), checkpoint.bias(ParamKind::FinalNorm, 0, None));
    for layer in 0..config.layers.min(3) {
        for kind in [ParamKind::AttentionNorm, ParamKind::MlpNorm, ParamKind::QueryNorm] {
            let _ = (checkpoint.norm(kind, layer), checkpoint.bias(kind, layer, None));
        }
        for &kind in config.matrices() {
            let [rows, cols] = config.matrix_shape(kind);
            if rows.saturating_mul(cols) <= MOST_VALUES {
                read_matrix(&checkpoint, layer, kind);
            }
        }
    }
}

fn read_matrix(checkpoint: &Checkpoint, layer: usize, kind: MatrixKind) {
    for expert in [None, Some(0), Some(1)] {
        let matrix = MatrixId { kind, expert };
        let whole = checkpoint.matrix(layer, matrix);
        let _ = checkpoint.matrix_rows(layer, matrix, 1..3);
        let _ = (checkpoint.bias(ParamKind::Matrix(kind), layer, expert), whole);
    }
}
