//! Reading weights: `just bench reading`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use half::bf16;
use laser_checkpoint::Checkpoint;
use laser_edit::MatrixKind;
use safetensors::{Dtype, tensor::TensorView};
use std::path::{Path, PathBuf};

const HIDDEN: usize = 1024;
const INNER: usize = 4096;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/llama")
}

/// A llama of one layer in bf16: 32 MB.
fn checkpoint(folder: &Path) -> Checkpoint {
    let text = std::fs::read_to_string(fixture().join("config.json")).expect("a fixture");
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (key, value) in [
        ("hidden_size", HIDDEN),
        ("intermediate_size", INNER),
        ("num_hidden_layers", 1),
        ("head_dim", 64),
        ("num_attention_heads", HIDDEN / 64),
        ("num_key_value_heads", HIDDEN / 64),
        ("vocab_size", 256),
    ] {
        config[key] = value.into();
    }
    std::fs::write(folder.join("config.json"), config.to_string()).expect("a config");
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![256, HIDDEN]),
        ("lm_head.weight".to_owned(), vec![256, HIDDEN]),
        ("model.norm.weight".to_owned(), vec![HIDDEN]),
        (layer("input_layernorm"), vec![HIDDEN]),
        (layer("post_attention_layernorm"), vec![HIDDEN]),
        (layer("mlp.down_proj"), vec![HIDDEN, INNER]),
    ];
    shapes.extend(
        ["q_proj", "k_proj", "v_proj", "o_proj"].map(|it| (layer(&format!("self_attn.{it}")), vec![HIDDEN; 2])),
    );
    shapes.extend(["gate_proj", "up_proj"].map(|it| (layer(&format!("mlp.{it}")), vec![INNER, HIDDEN])));
    let bytes: Vec<u8> = (0..HIDDEN * INNER)
        .flat_map(|i| bf16::from_f32((i % 251) as f32 / 251.0 - 0.5).to_bits().to_le_bytes())
        .collect();
    let views = shapes.into_iter().map(|(name, shape)| {
        let length = 2 * shape.iter().product::<usize>();
        (name, TensorView::new(Dtype::BF16, shape, &bytes[..length]).expect("a tensor"))
    });
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).expect("a file");
    Checkpoint::open(folder).expect("a checkpoint")
}

fn reading(criterion: &mut Criterion) {
    // Every tensor is found, and no value is read.
    criterion.bench_function("open", |bench| bench.iter(|| Checkpoint::open(&fixture()).expect("a checkpoint")));
    // The hashes of all files, by which a model is known again.
    let hashed = || Checkpoint::open(&fixture()).and_then(|it| it.fingerprint()).expect("hashes");
    criterion.bench_function("fingerprint", |bench| bench.iter(hashed));
    // A matrix of 8 MB in bf16, from the page cache, as f32.
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = checkpoint(folder.path());
    let mut group = criterion.benchmark_group("matrix");
    group.throughput(Throughput::Bytes((2 * HIDDEN * INNER) as u64));
    group.bench_function("bf16", |bench| {
        bench.iter(|| checkpoint.matrix(0, MatrixKind::FcIn).expect("a matrix"));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = reading
}
criterion_main!(benches);
