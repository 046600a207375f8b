//! Inputs to begin with: fixtures of the workspace, and what fuzzing has found.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{choices::Choices, header_grammar, sections::joined, tiny_model, tokenizer_bodies};

/// The seeds of a target: those of `fuzz/seeds/NAME`, and fixtures of the format.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = files_in(&root().join("fuzz/seeds").join(target), "");
    found.extend(match target {
        "safetensors" => vec![header_grammar::whole_safetensors()],
        "gguf" => vec![header_grammar::gguf(&[], &mut Choices::new(3))],
        "pickle" => files_in(&root().join("crates/laser-checkpoint/tests/pytorch"), ".bin"),
        "config" => configs(),
        "table" => files_in(&root().join("crates/laser-checkpoint/architectures"), ".toml"),
        "tokenizer" => tokenizers(),
        "sentencepiece" => folders(&tokenizer_folder())
            .iter()
            .filter_map(|folder| fs::read(folder.join("tokenizer.model")).ok())
            .collect(),
        "parquet" => files_in(&root().join("crates/laser-tasks/tests/fixtures/data"), ".parquet"),
        "task" => tasks(),
        "data" => folders(&cases()).iter().filter_map(|folder| fs::read(folder.join("rows.jsonl")).ok()).collect(),
        _ => Vec::new(),
    });
    found
}

fn configs() -> Vec<Vec<u8>> {
    let weights = header_grammar::whole_safetensors();
    let one = |config: Vec<u8>| joined(&[("config.json".to_owned(), config)]);
    let mut found: Vec<Vec<u8>> = folders(&root().join("tests/fixtures"))
        .iter()
        .filter_map(|folder| fs::read(folder.join("config.json")).ok())
        .map(one)
        .collect();
    let tiny = tiny_model::config().to_string().into_bytes();
    found.push(joined(&[
        ("config.json".to_owned(), tiny),
        ("generation_config.json".to_owned(), b"{\"eos_token_id\": [2, 3]}".to_vec()),
        (
            "table.toml".to_owned(),
            fs::read(root().join("crates/laser-checkpoint/architectures/llama.toml")).unwrap_or_default(),
        ),
        ("model.safetensors".to_owned(), weights),
    ]));
    found
}

fn tokenizers() -> Vec<Vec<u8>> {
    let whole = |folder: &PathBuf| {
        let text = |name: &str| Some((name.to_owned(), fs::read(folder.join(name)).ok()?));
        joined(&tokenizer_bodies::NAMES.iter().filter_map(|name| text(name)).collect::<Vec<_>>())
    };
    let mut found: Vec<Vec<u8>> = folders(&tokenizer_folder()).iter().map(whole).collect();
    found.push(whole(&root().join("tests/fixtures/llama")));
    found
}

fn tasks() -> Vec<Vec<u8>> {
    let whole = |folder: PathBuf| {
        let read = |name: &str, path: &str| Some((name.to_owned(), fs::read(folder.join(path)).ok()?));
        let rows = read("rows.jsonl", "rows.jsonl")?;
        let validation = read("validation.jsonl", "validation.jsonl");
        Some(joined(
            &[Some(read("task.yaml", "task.yaml")?), Some(rows), validation].into_iter().flatten().collect::<Vec<_>>(),
        ))
    };
    let mut found: Vec<Vec<u8>> = folders(&cases()).into_iter().filter_map(whole).collect();
    let rows =
        b"{\"question\": \"What?\", \"prompt\": \"It is\", \"answer\": \"a\", \"choices\": [\"a\", \"b\"]}".to_vec();
    for yaml in files_in(&root().join("crates/laser-tasks/tasks"), ".yaml") {
        found.push(joined(&[("task.yaml".to_owned(), yaml), ("data.jsonl".to_owned(), rows.clone())]));
    }
    found
}

fn cases() -> PathBuf {
    root().join("tests/fixtures/cases")
}

fn tokenizer_folder() -> PathBuf {
    root().join("crates/laser-tokenizer/tests/tokenizers")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn files_in(folder: &Path, ending: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}
