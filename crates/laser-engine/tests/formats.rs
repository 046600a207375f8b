//! One model in every format that it can have gives the same numbers.

#[path = "../../laser-checkpoint/tests/common/mod.rs"]
mod common;
mod support;
#[path = "support/torch.rs"]
mod torch;

use laser_checkpoint::Checkpoint;
use laser_edit::Candidate;
use laser_engine::{Detail, Editor, Evaluator, Response};
use laser_example::{Example, Target};
use laser_writers::{HuggingFaceWriter, WriteOptions, write_model};
use safetensors::SafeTensors;
use std::fs;
use std::path::Path;
use support::{Fixture, candidate, families, open_at};

/// Two models of the same weights, of which one may lack a tokenizer: that of `tokenizer` is used.
fn responses(fixture: &Fixture, tokenizer: &Fixture) -> Vec<Vec<Response>> {
    let config = fixture.model.config();
    let prompts = ["The mother tongue of the singer is", "Berlin is the capital of", "The"];
    let target = || Target::generate(vec!["French".into()], 4).unwrap();
    let examples: Vec<Example> = prompts
        .iter()
        .map(|prompt| Example::new((*prompt).into(), None, (*prompt).into(), target()).unwrap())
        .collect();
    let mut evaluator =
        Evaluator::new(&fixture.model, &tokenizer.tokenizer, examples.iter().collect(), 1 << 30).unwrap();
    let mut editor = Editor::new(&fixture.checkpoint, &fixture.model);
    let candidates =
        ["", "0.q_proj:0.5", "1.v_proj:0.3", "1.fc_in:0.1", "2.fc_out:0.2"].map(|text| candidate(text, config));
    let score = |candidate: &Candidate| evaluator.evaluate(&editor.edit(candidate).unwrap(), Detail::Full).unwrap();
    candidates.iter().map(score).collect()
}

fn assert_close(found: &[Vec<Response>], expected: &[Vec<Response>], what: &str) {
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        let (a, b) = (found.outcome.answer_logprob, expected.outcome.answer_logprob);
        assert!((a - b).abs() <= 1e-4 * b.abs(), "{what}: {a} and {b}");
        assert_eq!(found.generated, expected.generated, "{what}");
    }
}

/// The folder without its weights.
fn bare(source: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn every_family_gives_the_same_numbers_from_every_format() {
    let (mut in_gguf, mut all) = (0, 0);
    for name in families() {
        let source = common::for_gguf(&name);
        let original = open_at(source.path(), usize::MAX);
        let expected = responses(&original, &original);

        let folder = bare(source.path());
        let bytes = fs::read(source.path().join("model.safetensors")).unwrap();
        torch::write_bin(&SafeTensors::deserialize(&bytes).unwrap(), folder.path());
        let bin = open_at(folder.path(), usize::MAX);
        assert_eq!(responses(&bin, &bin), expected, "{name} as .bin");

        let place = tempfile::tempdir().unwrap();
        let sharded = place.path().join("sharded");
        let writer = HuggingFaceWriter { shard_bytes: Some(60_000) };
        write_model(&original.checkpoint, &[], &sharded, &writer, &WriteOptions::default()).unwrap();
        assert!(
            sharded.join("model-00003-of-00003.safetensors").is_file() || !sharded.join("model.safetensors").is_file()
        );
        let sharded = open_at(&sharded, usize::MAX);
        assert_eq!(responses(&sharded, &sharded), expected, "{name} sharded");

        let families = &original.checkpoint.architecture().gguf_architectures;
        if !families.is_empty() || name == "mistral" {
            let path = common::save(&common::gguf::gguf_of(&Checkpoint::open(source.path()).unwrap()), place.path());
            let gguf = open_at(&path, usize::MAX);
            assert_close(&responses(&gguf, &original), &expected, &format!("{name} as GGUF"));
            in_gguf += 1;
        }
        all += 1;
    }
    assert!(all >= 19 && in_gguf >= 15, "{all} families, {in_gguf} of them in GGUF");
}
