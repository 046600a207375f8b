//! Writing: what was written opens again with the same values; what fails leaves nothing behind.
#![allow(missing_docs)]

#[path = "../../laser-checkpoint/tests/common/mod.rs"]
mod common;
#[path = "write/places.rs"]
mod places;

use std::{fs, path::Path};

use common::gguf::gguf_of;
use common::gguf_write::GgufWriter;
use common::{assert_same, copy_of, fixture, fixtures, for_gguf, save, set_config};
use laser_checkpoint::{Checkpoint, Precision};
use laser_edit::{Intervention, InterventionSpec, MatrixKind};
use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::Matrix;
use laser_writers::{HuggingFaceWriter, WriteOptions, write_model};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

/// What an edit makes of a matrix.
fn edited(edit: &Intervention, matrix: &Matrix) -> Matrix {
    dense(edit.apply(&DecomposedMatrix::new(matrix.clone())).unwrap())
}

fn edits(texts: &[&str]) -> Vec<Intervention> {
    let specs: Vec<InterventionSpec> = texts.iter().map(|text| text.parse().unwrap()).collect();
    InterventionSpec::expand_all(&specs, Checkpoint::open(&fixture("llama")).unwrap().config()).unwrap()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_edited_is_nothing_changed() {
    for family in &fixtures() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let source = Checkpoint::open(&fixture(family)).unwrap();
        assert!(
            write_model(&source, &[], &out, &HuggingFaceWriter::default(), &WriteOptions::default())
                .unwrap()
                .edits
                .is_empty()
        );
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            assert_eq!(fs::read(out.join(name)).unwrap(), fs::read(fixture(family).join(name)).unwrap());
        }
        let written = Checkpoint::open(&out).unwrap();
        assert_same(&source, &written, 0.0);
        assert_eq!(written.config(), source.config());
        assert_eq!(names(place.path()), ["out"]);
    }
}

#[test]
fn edits_are_written_and_recorded() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    let edits = edits(&["1.fc_in:0.1", "2.k_proj:zero", "0.fc_out:prune=0.5"]);
    let mut options = WriteOptions { extra: vec![("NOTES".into(), b"mine".to_vec())], ..WriteOptions::default() };
    options.record.insert("task".into(), json!("facts"));
    options.record.insert("program".into(), json!("another"));
    let records = write_model(&source, &edits, &out, &HuggingFaceWriter::default(), &options).unwrap().edits;
    let written = Checkpoint::open(&out).unwrap();
    for layer in 0..3 {
        for kind in MatrixKind::ALL {
            let before = source.matrix(layer, kind).unwrap();
            let edit = edits.iter().find(|edit| (edit.layer, edit.matrix) == (layer, kind.into()));
            let expected = edit.map_or(before.clone(), |edit| edited(edit, &before));
            assert_eq!(written.matrix(layer, kind).unwrap(), expected);
        }
    }
    assert_eq!(fs::read(out.join("NOTES")).unwrap(), b"mine");

    let record = json_of(&out.join("laser.json"));
    assert_eq!((&record["task"], &record["program"]["name"]), (&json!("facts"), &json!("laser")));
    assert_eq!(record["source"]["files"][1]["name"], "model.safetensors");
    assert_eq!(record["source"]["files"][1]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(record["interventions"].as_array().unwrap().len(), 3);
    let reduced = &record["interventions"][1];
    assert_eq!((&reduced["layer"], &reduced["matrix"], &reduced["rho"]), (&json!(1), &json!("fc_in"), &json!(0.1)));
    assert_eq!((&reduced["shape"], &reduced["kept_rank"]), (&json!([96, 48]), &json!(4)));
    let error = reduced["relative_error"].as_f64().unwrap();
    assert!(error > 0.5 && error < 1.0 && error == records[1].relative_error);
    assert_eq!(
        (&record["interventions"][2]["relative_error"], &record["interventions"][2]["kept_rank"]),
        (&json!(1.0), &json!(0))
    );
    assert_eq!(record["interventions"][0]["kept_rank"], Value::Null);
}

/// Matrices on their own, parts of fused ones, transposed ones and experts': what is edited is, and nothing else.
#[test]
fn every_family_is_edited_where_it_is_asked_to() {
    for family in fixtures() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let source = Checkpoint::open(&fixture(&family)).unwrap();
        let config = source.config();
        let specs = ["1.q_proj:0.25", "1.v_proj:0.5", "2.k_proj:rank=3", "0.out_proj:0.3", "0.mlp:0.2"];
        let specs: Vec<InterventionSpec> = specs.iter().map(|text| text.parse().unwrap()).collect();
        let edits = InterventionSpec::expand_all(&specs, config).unwrap();
        let records =
            write_model(&source, &edits, &out, &HuggingFaceWriter::default(), &WriteOptions::default()).unwrap().edits;
        let experts = config.experts.map_or(1, |experts| experts.count);
        assert_eq!(records.len(), 4 + experts * (config.matrices.len() - 4), "{family}");
        let written = Checkpoint::open(&out).unwrap();
        let (before, after) = (common::contents(&source).unwrap(), common::contents(&written).unwrap());
        for ((name, before), (_, after)) in before.iter().zip(&after) {
            let edit = edits.iter().find(|edit| {
                let (layer, kind) = (edit.layer, edit.matrix.kind);
                name.starts_with(&format!("{layer}.{kind} ")) && !name.ends_with("bias")
            });
            let Some(edit) = edit else {
                assert_eq!(before, after, "{family} {name}");
                continue;
            };
            let [rows, cols] = edit.matrix.kind.shape(config);
            let matrix = Matrix::new(rows, cols, before.clone()).unwrap();
            assert_eq!(edited(edit, &matrix).data(), after, "{family} {name}");
            assert_ne!(before, after);
        }
    }
}

#[test]
fn shards_come_back() {
    let place = tempfile::tempdir().unwrap();
    let (out, again) = (place.path().join("out"), place.path().join("again"));
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    let writer = HuggingFaceWriter { shard_bytes: Some(100_000) };
    write_model(&source, &edits(&["1.fc_up:0.5"]), &out, &writer, &WriteOptions::default()).unwrap();
    let index = json_of(&out.join("model.safetensors.index.json"));
    assert_eq!(index["metadata"]["total_size"], 403_776);
    let shards: std::collections::BTreeSet<&str> =
        index["weight_map"].as_object().unwrap().values().map(|shard| shard.as_str().unwrap()).collect();
    assert!(
        shards.len() > 3 && shards.first() == Some(&format!("model-00001-of-{:05}.safetensors", shards.len()).as_str())
    );
    let sharded = Checkpoint::open(&out).unwrap();
    assert_eq!(sharded.matrix(2, MatrixKind::FcOut).unwrap(), source.matrix(2, MatrixKind::FcOut).unwrap());
    // By default the files stay as they are; otherwise they are as large as was asked for.
    write_model(&sharded, &[], &again, &HuggingFaceWriter::default(), &WriteOptions::default()).unwrap();
    for name in shards.iter().copied().chain(["model.safetensors.index.json"]) {
        assert_eq!(fs::read(again.join(name)).unwrap(), fs::read(out.join(name)).unwrap(), "{name}");
    }
    let whole = place.path().join("whole");
    let writer = HuggingFaceWriter { shard_bytes: Some(u64::MAX) };
    write_model(&sharded, &[], &whole, &writer, &WriteOptions::default()).unwrap();
    assert!(whole.join("model.safetensors").is_file() && !whole.join("model.safetensors.index.json").exists());
    assert_same(&sharded, &Checkpoint::open(&whole).unwrap(), 0.0);
    fs::remove_file(out.join(shards.last().unwrap())).unwrap();
    assert!(common::error_of(&out).contains("is missing"));
}

/// Writes a fixture's weights again in another type, beside a tensor that no table knows.
fn rewrite(folder: &Path, dtype: Dtype, narrow: fn(f32) -> [u8; 2]) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut data: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, view) in tensors.tensors() {
        let floats = view.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
        data.push((name, view.shape().to_vec(), floats.flat_map(narrow).collect()));
    }
    let mut views: Vec<(String, TensorView)> = data
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), TensorView::new(dtype, shape.clone(), bytes).unwrap()))
        .collect();
    views.push(("inv_freq.buffer".into(), TensorView::new(Dtype::I64, vec![2], &[7; 16]).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn sixteen_bit_sources_stay_so() {
    for (dtype, precision, narrow, step) in [
        (
            Dtype::F16,
            Precision::F16,
            (|value| half::f16::from_f32(value).to_le_bytes()) as fn(f32) -> [u8; 2],
            2_f32.powi(-11),
        ),
        (Dtype::BF16, Precision::BF16, |value| half::bf16::from_f32(value).to_le_bytes(), 2_f32.powi(-8)),
    ] {
        let folder = copy_of("qwen2");
        rewrite(folder.path(), dtype, narrow);
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let source = Checkpoint::open(folder.path()).unwrap();
        let edits = edits(&["1.fc_in:0.5"]);
        write_model(&source, &edits, &out, &HuggingFaceWriter::default(), &WriteOptions::default()).unwrap();
        let written = Checkpoint::open(&out).unwrap();
        assert_eq!(written.precision(1, MatrixKind::FcIn).unwrap(), precision);
        assert_eq!(written.matrix(0, MatrixKind::FcIn).unwrap(), source.matrix(0, MatrixKind::FcIn).unwrap());
        let expected = edited(&edits[0], &source.matrix(1, MatrixKind::FcIn).unwrap());
        for (found, expected) in written.matrix(1, MatrixKind::FcIn).unwrap().data().iter().zip(expected.data()) {
            assert!((found - expected).abs() <= step * expected.abs().max(1e-3), "{found} and {expected}");
        }
        let bytes = fs::read(out.join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("inv_freq.buffer").unwrap().data(), [7; 16]);
    }
}

#[test]
fn a_gguf_becomes_a_folder() {
    for family in fixtures() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let source = for_gguf(&family);
        let original = Checkpoint::open(source.path()).unwrap();
        if original.architecture().gguf_architectures.is_empty() {
            continue;
        }
        let gguf = Checkpoint::open(&save(&gguf_of(&original), place.path())).unwrap();
        let options =
            WriteOptions { extra: vec![("tokenizer.json".into(), b"{}".to_vec())], ..WriteOptions::default() };
        let done = write_model(&gguf, &[], &out, &HuggingFaceWriter::default(), &options);
        if family == "internlm2" {
            assert!(done.unwrap_err().to_string().contains("only by code that comes with the model"));
            continue;
        }
        done.unwrap();
        let written = Checkpoint::open(&out).unwrap();
        assert_same(&original, &written, 1e-6);
        assert_eq!(written.config(), gguf.config(), "{family}");
        let (before, after) = (json_of(&source.path().join("config.json")), json_of(&out.join("config.json")));
        for (key, value) in before.as_object().unwrap() {
            let told = after.get(key).filter(|after| !after.is_null() && !value.is_null());
            let same = match (told.and_then(Value::as_f64), value.as_f64()) {
                // Through float32.
                (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * b.abs(),
                _ => told.is_none_or(|after| {
                    after.is_object() || after == value || key == "rope_scaling" || after == "gelu_pytorch_tanh"
                }),
            };
            // Where no layer slides, the first one that would is of no account.
            assert!(
                same || ["pad_token_id", "max_window_layers"].contains(&key.as_str()),
                "{family}: {key} is {value}, written {told:?}"
            );
        }
        for key in ["architectures", "model_type", "eos_token_id"] {
            assert_eq!(before[key], after[key], "{key}");
        }
        assert_eq!(names(&out), ["config.json", "laser.json", "model.safetensors", "tokenizer.json"]);
    }
}

/// One q8_0 tensor makes the model a quantised one: the whole of it is written as f16.
fn with_head(head: Precision, data: Vec<u8>) -> GgufWriter {
    let source = Checkpoint::open(&fixture("qwen2")).unwrap();
    let mut gguf = gguf_of(&source);
    gguf.tensor("other.weight", &[1, 32], head, data);
    gguf
}

#[test]
fn a_quantised_gguf_becomes_f16() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let source = Checkpoint::open(&save(&with_head(Precision::Q8_0, vec![0; 34]), place.path())).unwrap();
    write_model(&source, &[], &out, &HuggingFaceWriter::default(), &WriteOptions::default()).unwrap();
    let written = Checkpoint::open(&out).unwrap();
    assert_eq!(written.precision(0, MatrixKind::QProj).unwrap(), Precision::F16);
    assert_eq!(json_of(&out.join("config.json"))["torch_dtype"], "float16");
}

#[test]
fn what_f16_cannot_hold_is_an_error_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut gguf = with_head(Precision::Q8_0, vec![0; 34]);
    gguf.floats("output.weight", &[400, 48], &[70_000.0; 400 * 48]);
    let source = Checkpoint::open(&save(&gguf, place.path())).unwrap();
    let error =
        write_model(&source, &[], &place.path().join("out"), &HuggingFaceWriter::default(), &WriteOptions::default())
            .unwrap_err()
            .to_string();
    assert!(error.contains("\"lm_head.weight\"") && error.contains("f16") && error.contains("70000"), "{error}");
    assert_eq!(names(place.path()), ["model.gguf"]);
}

#[test]
fn a_damaged_source_leaves_nothing() {
    let folder = copy_of("llama");
    let file = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let length = bytes.len();
    // Within the last layer's matrices: found only when that matrix is edited, after others were written.
    for byte in &mut bytes[length - 20_000..length - 200] {
        *byte = 0xff;
    }
    fs::write(&file, bytes).unwrap();
    let source = Checkpoint::open(folder.path()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let error = write_model(
        &source,
        &edits(&["2.all:0.5"]),
        &place.path().join("out"),
        &HuggingFaceWriter::default(),
        &WriteOptions::default(),
    );
    assert!(error.unwrap_err().to_string().contains("not finite"));
    assert!(names(place.path()).is_empty());
}
