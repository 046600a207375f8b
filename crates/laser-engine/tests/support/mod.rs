//! What the integration tests share.

use laser_checkpoint::{Checkpoint, Config};
use laser_edit::Candidate;
use laser_edit::InterventionSpec;
use laser_kernels::Cpu;
use laser_model::Model;
use laser_tokenizer::Tokenizer;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A loaded fixture.
#[allow(dead_code)] // each test file uses a part
pub struct Fixture {
    pub checkpoint: Arc<Checkpoint>,
    pub model: Model,
    pub tokenizer: Tokenizer,
}

/// Names of the folders in tests/fixtures that have numbers from transformers.
#[allow(dead_code)]
pub fn families() -> Vec<String> {
    let entries = std::fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = entries
        .filter(|path| path.join("golden.json").is_file())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

pub fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

#[allow(dead_code)]
pub fn open(name: &str) -> Fixture {
    open_at(&folder(name), usize::MAX)
}

/// The logits of each token of a sequence.
#[allow(dead_code)]
pub fn logits(model: &Model, tokens: &[u32]) -> Vec<Vec<f32>> {
    let logits = model.logits(tokens).unwrap();
    logits.data().chunks(logits.cols()).map(<[f32]>::to_vec).collect()
}

/// What is at `path`; layers that take more than `memory` bytes stay on disk.
pub fn open_at(path: &Path, memory: usize) -> Fixture {
    let checkpoint = Arc::new(Checkpoint::open(path).unwrap());
    let model = Model::load(&checkpoint, &Cpu, memory, |_| {}).unwrap();
    let tokenizer =
        Tokenizer::open(checkpoint.path(), checkpoint.metadata(&laser_tokenizer::GGUF_KEYS).unwrap().as_ref()).unwrap();
    Fixture { checkpoint, model, tokenizer }
}

/// A candidate from its text form, interventions separated by spaces; empty is the base.
#[allow(dead_code)]
pub fn candidate(text: &str, config: &Config) -> Candidate {
    let specs: Vec<InterventionSpec> = text.split_whitespace().map(|spec| spec.parse().unwrap()).collect();
    Candidate::new(InterventionSpec::expand_all(&specs, config).unwrap()).unwrap()
}
