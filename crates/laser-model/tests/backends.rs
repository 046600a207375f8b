//! Whole models through the CPU's kernels and through the reference backend.

use laser_checkpoint::Checkpoint;
use laser_edit::{MatrixId, MatrixKind};
use laser_kernels::{Cpu, Reference};
use laser_model::Model;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The fixtures, one of each architecture.
fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.join("golden.json").is_file()).collect();
    paths.sort();
    assert!(paths.len() > 10, "the fixtures are not there");
    paths
}

const TOKENS: [u32; 11] = [5, 9, 3, 7, 7, 2, 11, 4, 6, 8, 10];

/// ln p of every token at every position.
fn logprobs(logits: &laser_matrix::Matrix) -> Vec<f64> {
    let of_row = |row: &[f32]| {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = row.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        row.iter().map(|&logit| f64::from(logit - max) - total.ln()).collect::<Vec<_>>()
    };
    logits.data().chunks(logits.cols()).flat_map(of_row).collect()
}

#[test]
fn models_give_the_same_on_both_backends() {
    for path in fixtures() {
        let checkpoint = Arc::new(Checkpoint::open(&path).unwrap());
        let on_cpu = Model::load(&checkpoint, &Cpu, usize::MAX, |_| {}).unwrap();
        let on_reference = Model::load(&checkpoint, &Reference::cpu(), usize::MAX, |_| {}).unwrap();
        let on_disk = Model::load(&checkpoint, &Cpu, 0, |_| {}).unwrap();
        let (found, expected) = (on_cpu.logits(&TOKENS).unwrap(), on_reference.logits(&TOKENS).unwrap());
        assert_eq!(found, on_disk.logits(&TOKENS).unwrap(), "{}", path.display());
        let both = logprobs(&found).into_iter().zip(logprobs(&expected));
        let furthest = both.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(furthest < 1e-4, "{}: {furthest}", path.display());
    }
}

#[test]
fn an_edited_copy_knows_its_first_edited_layer() {
    let path = fixtures().into_iter().find(|path| path.ends_with("llama")).unwrap();
    let checkpoint = Arc::new(Checkpoint::open(&path).unwrap());
    let model = Model::load(&checkpoint, &Cpu, usize::MAX, |_| {}).unwrap();
    let layers = model.config().layers;
    assert_eq!(model.first_edited_layer(), layers);
    let id = MatrixId::from(MatrixKind::FcIn);
    let half = |layer| {
        let mut matrix = checkpoint.matrix(layer, id).unwrap();
        matrix.data_mut().iter_mut().for_each(|value| *value *= 0.5);
        matrix
    };
    let upper = model.replace(layers - 1, id, &half(layers - 1)).unwrap();
    let both = upper.replace(0, id, &half(0)).unwrap().replace(1, id, &half(1)).unwrap();
    assert_eq!((upper.first_edited_layer(), both.first_edited_layer()), (layers - 1, 0));
    let shared = |edited: &Model| (0..layers).filter(|&layer| model.shares_layer(edited, layer)).collect::<Vec<_>>();
    assert_eq!(shared(&upper), (0..layers - 1).collect::<Vec<_>>());
    assert_eq!(shared(&both), (2..layers - 1).collect::<Vec<_>>());
    assert!(model.replace(layers, id, &half(0)).is_err());
    assert_ne!(model.logits(&TOKENS).unwrap(), both.logits(&TOKENS).unwrap());
    if let Ok(rounded) = model.to_bf16() {
        assert_eq!(rounded.first_edited_layer(), layers);
        assert_ne!(rounded.logits(&TOKENS).unwrap(), model.logits(&TOKENS).unwrap());
    }
}
