//! Small checkpoints for the tests.
#![allow(dead_code, missing_docs)]

pub mod gguf;
pub mod gguf_write;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use laser_checkpoint::{Checkpoint, CheckpointError, ParamKind};
use laser_edit::{MatrixId, MatrixKind};
use tempfile::TempDir;

use gguf_write::GgufWriter;

/// Names of the fixtures.
pub fn fixtures() -> Vec<String> {
    let entries = fs::read_dir(fixture("")).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.join("config.json").is_file());
    let mut names: Vec<String> = folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Three plain ones.
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

/// A fixture, as far as a GGUF file can hold it: Gemma 3's windows follow the family's own pattern there, Qwen2's are in
/// all layers, Hunyuan's rotary positions are scaled by their base.
pub fn for_gguf(family: &str) -> TempDir {
    let folder = copy_of(family);
    if ["gemma3_text", "qwen2_windowed"].contains(&family) {
        set_config(folder.path(), "layer_types", serde_json::Value::Null);
        set_config(folder.path(), "max_window_layers", 0.into());
    }
    if family == "hunyuan_v1_dense" {
        // The converter puts the scaling into the base.
        let scaled: f64 = ((10000.0 * 50f64.powf(8.0 / 6.0)) as f32).to_string().parse().unwrap();
        let parameters = serde_json::json!({ "rope_type": "default", "rope_theta": scaled });
        set_config(folder.path(), "rope_parameters", parameters);
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
        contents(&checkpoint)?;
        checkpoint.metadata(&["tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.token_type"])?;
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

pub fn save(gguf: &GgufWriter, folder: &Path) -> PathBuf {
    let path = folder.join("model.gguf");
    gguf.write(&mut File::create(&path).unwrap()).unwrap();
    path
}

/// Every tensor of a model, as it is read, with a name for messages.
pub fn contents(checkpoint: &Checkpoint) -> Result<Vec<(String, Vec<f32>)>, CheckpointError> {
    let config = checkpoint.config();
    let mut all = Vec::new();
    for &param in &config.params {
        let layers = if param.is_in_layer() { config.layers } else { 1 };
        for layer in 0..layers {
            let mut push = |name: String, values: Option<Vec<f32>>| all.extend(values.map(|values| (name, values)));
            let experts = match (param, config.experts) {
                (ParamKind::Matrix(kind), Some(experts)) if MatrixKind::MLP.contains(&kind) => {
                    (0..experts.count).map(Some).collect()
                }
                _ => vec![None],
            };
            for expert in experts {
                let name = format!("{layer}.{param} {expert:?}");
                let values = match param {
                    ParamKind::Matrix(kind) => Some(checkpoint.matrix(layer, MatrixId { kind, expert })?.into_data()),
                    param if param.is_shared_expert() => {
                        checkpoint.shared_expert(param, layer)?.map(|matrix| matrix.into_data())
                    }
                    ParamKind::Router => Some(checkpoint.router(layer)?.into_data()),
                    param if param.is_norm() => checkpoint.norm(param, layer)?,
                    param => checkpoint.table(param)?.map(|matrix| matrix.into_data()),
                };
                push(name.clone(), values);
                push(format!("{name} bias"), checkpoint.bias(param, layer, expert)?);
            }
        }
    }
    Ok(all)
}

/// Every tensor of two checkpoints is the same, within `tolerance` of the first's magnitude.
pub fn assert_same(a: &Checkpoint, b: &Checkpoint, tolerance: f32) {
    let (a, b) = (contents(a).unwrap(), contents(b).unwrap());
    let names = |all: &[(String, Vec<f32>)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for ((name, x), (_, y)) in a.iter().zip(&b) {
        assert_eq!(x.len(), y.len(), "{name}");
        for (index, (x, y)) in x.iter().zip(y).enumerate() {
            assert!((x - y).abs() <= tolerance * x.abs(), "{name}[{index}]: {x} and {y}");
        }
    }
}
