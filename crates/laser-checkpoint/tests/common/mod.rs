//! Small checkpoints for the tests.
#![allow(dead_code, missing_docs)]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use laser_checkpoint::{Checkpoint, GgufValue, GgufWriter, MatrixKind};
use tempfile::TempDir;

/// The architectures that have a fixture.
pub const FAMILIES: [&str; 3] = ["llama", "mistral", "qwen2"];

pub fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(family)
}

/// A copy of a fixture that a test may damage.
pub fn copy_of(family: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(family)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

/// Changes one key of a copy's config.json; null removes it.
pub fn set_config(folder: &Path, key: &str, value: serde_json::Value) {
    let path = folder.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    match value {
        serde_json::Value::Null => config.as_object_mut().unwrap().remove(key),
        value => config.as_object_mut().unwrap().insert(key.to_owned(), value),
    };
    fs::write(path, config.to_string()).unwrap();
}

/// Reads everything; the error's text where something fails. It must be one line.
pub fn open_and_read(path: &Path) -> Result<(), String> {
    let read = || {
        let checkpoint = Checkpoint::open(path)?;
        checkpoint.embedding()?;
        checkpoint.head()?;
        checkpoint.final_norm()?;
        for layer in 0..checkpoint.config().layers {
            checkpoint.attention_norm(layer)?;
            checkpoint.mlp_norm(layer)?;
            for kind in MatrixKind::ALL {
                checkpoint.matrix(layer, kind)?;
                checkpoint.bias(layer, kind)?;
            }
        }
        checkpoint.tokenizer_source()?;
        Ok(())
    };
    read().map_err(|error: laser_checkpoint::CheckpointError| {
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(text.len() < 4000, "{} bytes", text.len());
        text
    })
}

pub fn error_of(path: &Path) -> String {
    open_and_read(path).expect_err("it must not open")
}

/// llama.cpp's converter on `heads * d` rows of `width`: row i + s * d/2 of each head goes to row 2i + s.
pub fn interleave(values: &[f32], heads: usize, width: usize) -> Vec<f32> {
    let d = values.len() / heads / width;
    let mut out = vec![0.0; values.len()];
    for head in 0..heads {
        for i in 0..d / 2 {
            for s in 0..2 {
                let (from, to) = ((head * d + i + s * d / 2) * width, (head * d + 2 * i + s) * width);
                out[to..to + width].copy_from_slice(&values[from..from + width]);
            }
        }
    }
    out
}

/// The GGUF metadata of a checkpoint.
pub fn gguf_metadata(checkpoint: &Checkpoint) -> GgufWriter {
    let config = checkpoint.config();
    let arch = checkpoint.architecture().gguf_architectures.first().map_or("llama", String::as_str);
    let mut gguf = GgufWriter::new();
    gguf.metadata("general.architecture", GgufValue::Text(arch.to_owned()));
    let sizes = [
        ("block_count", config.layers),
        ("context_length", config.context_length),
        ("embedding_length", config.hidden_size),
        ("feed_forward_length", config.intermediate_size),
        ("attention.head_count", config.heads),
        ("attention.head_count_kv", config.kv_heads),
        ("vocab_size", config.vocab_size),
        ("rope.dimension_count", config.head_dim),
    ];
    for (key, size) in sizes {
        gguf.metadata(&format!("{arch}.{key}"), GgufValue::U32(size.try_into().unwrap()));
    }
    gguf.metadata(&format!("{arch}.rope.freq_base"), GgufValue::F32(config.rope_theta as f32));
    gguf.metadata(&format!("{arch}.attention.layer_norm_rms_epsilon"), GgufValue::F32(config.norm_eps as f32));
    gguf.metadata("tokenizer.ggml.model", GgufValue::Text("gpt2".to_owned()));
    gguf.metadata("tokenizer.ggml.pre", GgufValue::Text("smollm".to_owned()));
    gguf.metadata("tokenizer.ggml.tokens", GgufValue::Texts(vec!["<s>".into(), "a".into(), "b".into(), "ab".into()]));
    gguf.metadata("tokenizer.ggml.token_type", GgufValue::I32s(vec![3, 1, 1, 1]));
    gguf.metadata("tokenizer.ggml.merges", GgufValue::Texts(vec!["a b".into()]));
    gguf.metadata("tokenizer.ggml.bos_token_id", GgufValue::U32(1));
    gguf.metadata("tokenizer.ggml.eos_token_id", GgufValue::U32(2));
    gguf.metadata("tokenizer.ggml.add_bos_token", GgufValue::Bool(false));
    gguf
}

/// The checkpoint as llama.cpp's converter would write it, in float32.
pub fn gguf_of(checkpoint: &Checkpoint) -> GgufWriter {
    let config = checkpoint.config();
    let permuted = checkpoint.architecture().family != "qwen2";
    let (vocab, hidden) = (config.vocab_size, config.hidden_size);
    let mut gguf = gguf_metadata(checkpoint);
    gguf.floats("token_embd.weight", &[vocab, hidden], checkpoint.embedding().unwrap().data());
    gguf.floats("output_norm.weight", &[hidden], &checkpoint.final_norm().unwrap());
    if let Some(head) = checkpoint.head().unwrap() {
        gguf.floats("output.weight", &[vocab, hidden], head.data());
    }
    let names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];
    for layer in 0..config.layers {
        gguf.floats(&format!("blk.{layer}.attn_norm.weight"), &[hidden], &checkpoint.attention_norm(layer).unwrap());
        gguf.floats(&format!("blk.{layer}.ffn_norm.weight"), &[hidden], &checkpoint.mlp_norm(layer).unwrap());
        for (kind, name) in MatrixKind::ALL.into_iter().zip(names) {
            let heads = match kind {
                MatrixKind::QProj if permuted => Some(config.heads),
                MatrixKind::KProj if permuted => Some(config.kv_heads),
                _ => None,
            };
            let order = |values: &[f32], width| heads.map_or(values.to_vec(), |heads| interleave(values, heads, width));
            let matrix = checkpoint.matrix(layer, kind).unwrap();
            let shape = [matrix.rows(), matrix.cols()];
            gguf.floats(&format!("blk.{layer}.{name}.weight"), &shape, &order(matrix.data(), matrix.cols()));
            if let Some(bias) = checkpoint.bias(layer, kind).unwrap() {
                gguf.floats(&format!("blk.{layer}.{name}.bias"), &[bias.len()], &order(&bias, 1));
            }
        }
    }
    gguf
}

pub fn save(gguf: &GgufWriter, folder: &Path) -> PathBuf {
    let path = folder.join("model.gguf");
    gguf.write(&mut File::create(&path).unwrap()).unwrap();
    path
}

/// Every tensor of two checkpoints is the same, within `tolerance` of the first's magnitude.
pub fn assert_same(a: &Checkpoint, b: &Checkpoint, tolerance: f32) {
    let close = |what: &str, x: &[f32], y: &[f32]| {
        assert_eq!(x.len(), y.len(), "{what}");
        for (index, (x, y)) in x.iter().zip(y).enumerate() {
            assert!((x - y).abs() <= tolerance * x.abs(), "{what}[{index}]: {x} and {y}");
        }
    };
    assert_eq!(a.config().layers, b.config().layers);
    close("embedding", a.embedding().unwrap().data(), b.embedding().unwrap().data());
    close("final norm", &a.final_norm().unwrap(), &b.final_norm().unwrap());
    match (a.head().unwrap(), b.head().unwrap()) {
        (Some(x), Some(y)) => close("head", x.data(), y.data()),
        (x, y) => assert_eq!(x.is_none(), y.is_none()),
    }
    for layer in 0..a.config().layers {
        close("attention norm", &a.attention_norm(layer).unwrap(), &b.attention_norm(layer).unwrap());
        close("mlp norm", &a.mlp_norm(layer).unwrap(), &b.mlp_norm(layer).unwrap());
        for kind in MatrixKind::ALL {
            let (x, y) = (a.matrix(layer, kind).unwrap(), b.matrix(layer, kind).unwrap());
            close(kind.name(), x.data(), y.data());
            let (x, y) = (a.bias(layer, kind).unwrap(), b.bias(layer, kind).unwrap());
            close(kind.name(), &x.unwrap_or_default(), &y.unwrap_or_default());
        }
    }
}
