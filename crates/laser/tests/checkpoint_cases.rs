//! Checkpoints as other programs leave them: names without a prefix, contradictions in config.json,
//! tables beside the weights. What transformers 5 computes for each is in
//! tests/fixtures/checkpoint_cases.json, which interop/checkpoint_cases.py writes.

#![allow(missing_docs)]

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};
use support::{Session, fixture};

struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

type Tensors = BTreeMap<String, Tensor>;

fn read_tensors(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: &TensorView<'_>| {
        assert_eq!(view.dtype(), Dtype::F32);
        let (values, _) = view.data().as_chunks::<4>();
        Tensor { shape: view.shape().to_vec(), values: values.iter().map(|&value| f32::from_le_bytes(value)).collect() }
    };
    file.tensors().iter().map(|(name, view)| (name.clone(), read(view))).collect()
}

fn write_tensors(path: &Path, tensors: &Tensors, dtype: Dtype) {
    let bytes_of = |tensor: &Tensor| -> Vec<u8> {
        if dtype == Dtype::F64 {
            tensor.values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect()
        } else {
            tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()
        }
    };
    let bytes: Vec<(&String, &Tensor, Vec<u8>)> =
        tensors.iter().map(|(name, tensor)| (name, tensor, bytes_of(tensor))).collect();
    let views =
        bytes.iter().map(|(name, tensor, bytes)| (*name, TensorView::new(dtype, tensor.shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Multiples of 1/64 from -1 to 1, as the script makes them.
fn pattern(shape: &[usize], seed: i64) -> Tensor {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i as i64 * 37 + seed * 101) % 129 - 64) as f32 / 64.0;
    Tensor { shape: shape.to_vec(), values: (0..count).map(value).collect() }
}

fn renamed(tensors: Tensors, rename: impl Fn(&str) -> String) -> Tensors {
    tensors.into_iter().map(|(name, tensor)| (rename(&name), tensor)).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn changed_tensors(mut tensors: Tensors, steps: &[Value]) -> (Tensors, Dtype) {
    let mut dtype = Dtype::F32;
    for step in steps {
        let (kind, value) = step.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "strip" => tensors = renamed(tensors, |name| name.strip_prefix(text(value)).unwrap_or(name).to_owned()),
            "rename" => {
                let (old, new) = (text(&value[0]), text(&value[1]));
                tensors = renamed(tensors, |name| match name.strip_prefix(old) {
                    Some(rest) => format!("{new}{rest}"),
                    None => name.to_owned(),
                });
            }
            "add" => {
                let shape: Vec<usize> = serde_json::from_value(value[1].clone()).unwrap();
                tensors.insert(text(&value[0]).to_owned(), pattern(&shape, 3));
            }
            "head" => {
                let is_embedding = |name: &str| name.ends_with("embed_tokens.weight") || name.ends_with("wte.weight");
                let embedding = &tensors.iter().find(|(name, _)| is_embedding(name)).unwrap().1;
                let seed = value.as_i64().unwrap();
                let mut head = pattern(&embedding.shape, seed);
                head.values.iter_mut().for_each(|value| *value *= 0.5);
                if seed == 0 {
                    head.values.clone_from(&embedding.values);
                }
                tensors.insert("lm_head.weight".to_owned(), head);
            }
            "dtype" => dtype = Dtype::F64,
            "text_model" => {
                tensors = renamed(tensors, |name| match (text(value), name.strip_prefix("model.")) {
                    ("old", _) => format!("language_model.{name}"),
                    ("new", Some(rest)) => format!("model.language_model.{rest}"),
                    _ => name.to_owned(),
                });
                tensors.insert("vision_tower.odd.weight".to_owned(), pattern(&[2, 2], 3));
            }
            other => panic!("unknown step {other}"),
        }
    }
    (tensors, dtype)
}

/// The case's folder.
fn make(session: &Session, case: &Value) -> std::path::PathBuf {
    let name = text(&case["name"]);
    let folder = session.copy_of(text(&case["fixture"]), name);
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    match case["config"].get("whole") {
        Some(whole) => config = whole.clone(),
        None => {
            let object = config.as_object_mut().unwrap();
            object.extend(case["config"]["set"].as_object().unwrap().clone());
            for key in case["config"]["remove"].as_array().unwrap() {
                object.remove(text(key));
            }
        }
    }
    fs::write(path, config.to_string()).unwrap();
    let steps = case["steps"].as_array().unwrap();
    if !steps.is_empty() {
        let path = folder.join("model.safetensors");
        let (tensors, dtype) = changed_tensors(read_tensors(&path), steps);
        write_tensors(&path, &tensors, dtype);
    }
    folder
}

fn cases() -> (Value, String) {
    let file: Value = serde_json::from_slice(&fs::read(fixture("checkpoint_cases.json")).unwrap()).unwrap();
    let rows = file["rows"].as_array().unwrap().iter();
    let rows = rows.map(|row| json!({"prompt": row[0], "answer": text(&row[1]).trim_start()}).to_string() + "\n");
    let rows = rows.collect();
    (file, rows)
}

/// The log-probabilities of the rows' answers.
fn scores(session: &Session, model: &str) -> Result<Vec<f64>, String> {
    let command = format!("eval {model} --task rows.jsonl --split all --json --threads 1 --examples out.jsonl --force");
    let output = session.laser(&command).output().unwrap();
    if !output.status.success() {
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.lines().count(), 1, "{model}: {error}");
        return Err(error);
    }
    let lines = session.read("out.jsonl");
    let score = |line: &str| serde_json::from_str::<Value>(line).unwrap()["answer_logprob"].as_f64().unwrap();
    Ok(lines.lines().map(score).collect())
}

fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3)
}

#[test]
fn checkpoints_give_the_numbers_of_transformers() {
    let session = Session::new();
    let (file, rows) = cases();
    session.write("rows.jsonl", rows);
    let mut wrong = Vec::new();
    for case in file["cases"].as_array().unwrap() {
        let name = text(&case["name"]);
        let folder = make(&session, case);
        let found = scores(&session, name);
        let expected: Option<Vec<f64>> = serde_json::from_value(case["expected"].clone()).unwrap();
        match (&found, &expected) {
            (Ok(found), Some(expected)) if close(found, expected) => {}
            (Err(_), None) => {}
            _ => wrong.push(format!("{name}: {found:?}, but transformers gives {expected:?}")),
        }
        fs::remove_dir_all(folder).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is written says one thing in one way, so that other versions of transformers agree.
#[test]
fn a_written_checkpoint_is_without_the_contradiction() {
    let session = Session::new();
    let (file, rows) = cases();
    session.write("rows.jsonl", rows);
    let names =
        ["own_head", "theta_twice_llama", "theta_twice_neox", "partial_llama", "gemma3_old", "layer_types_phi3"];
    for case in file["cases"].as_array().unwrap() {
        let name = text(&case["name"]);
        if !names.contains(&name) {
            continue;
        }
        make(&session, case);
        let out = format!("{name}_out");
        let apply = session.laser(&format!("apply {name} --reduce 0.v_proj:1.0 --out {out}")).output().unwrap();
        assert!(apply.status.success(), "{}", String::from_utf8_lossy(&apply.stderr));
        let inspected = session.laser(&format!("inspect {out} --json")).output().unwrap();
        let notes = String::from_utf8(inspected.stderr).unwrap();
        assert!(!notes.contains("config.json"), "{name}: {notes}");
        let expected: Vec<f64> = serde_json::from_value(case["expected"].clone()).unwrap();
        assert!(close(&scores(&session, &out).unwrap(), &expected), "{name}");
    }
}
