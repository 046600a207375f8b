//! What the integration tests share.

use laser_checkpoint::{Checkpoint, InterventionSpec};
use laser_model::{Device, Model, Tokenizer};
use laser_search::Candidate;
use std::path::PathBuf;

/// A loaded fixture.
pub struct Fixture {
    pub checkpoint: Checkpoint,
    pub model: Model,
    pub tokenizer: Tokenizer,
}

pub fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

pub fn open(name: &str) -> Fixture {
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    let model = Model::load(&checkpoint, &Device::Cpu, |_| {}).unwrap();
    let tokenizer = Tokenizer::open(&checkpoint.tokenizer_source().unwrap()).unwrap();
    Fixture { checkpoint, model, tokenizer }
}

/// A candidate from its text form, interventions apart by blanks; empty is the base.
#[allow(dead_code)]
pub fn candidate(text: &str, layers: usize) -> Candidate {
    let specs: Vec<InterventionSpec> = text.split_whitespace().map(|spec| spec.parse().unwrap()).collect();
    Candidate::new(InterventionSpec::expand_all(&specs, layers).unwrap()).unwrap()
}
