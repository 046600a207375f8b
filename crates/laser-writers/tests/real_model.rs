//! SmolLM2-135M-Instruct as GGUF (q4_1, embeddings q8_0), which `scripts/smollm2.sh` fetches. Skipped where it is not there,
//! unless `LASER_REQUIRE_MODEL` is set.
#![allow(missing_docs)]

use std::{io::Write, path::Path};

use laser_checkpoint::{Checkpoint, ParamKind, Precision};
use laser_edit::{Edit, Intervention, MatrixKind};
use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::Rho;
use laser_writers::{HuggingFaceWriter, WriteOptions, write_model};

/// The numbers are those of the Python package gguf 0.19.0: `dequantize(tensor.data, tensor.tensor_type)`, and for the queries
/// `.reshape(9, 32, 2, 576).swapaxes(1, 2).reshape(576, 576)`.
#[test]
fn smollm2_is_read_and_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/SmolLM2-135M-Instruct.Q4_1.gguf");
    if !Path::new(path).is_file() {
        assert!(std::env::var_os("LASER_REQUIRE_MODEL").is_none(), "{path} is missing");
        // Not println!, which the test runner keeps to itself.
        let _ = writeln!(std::io::stderr(), "skipped: {path} is not there; scripts/smollm2.sh fetches it");
        return;
    }
    let checkpoint = Checkpoint::open(Path::new(path)).unwrap();
    let config = checkpoint.config();
    assert_eq!((config.layers, config.heads, config.kv_heads, config.head_dim), (30, 9, 3, 64));
    assert_eq!((config.vocab_size, config.hidden_size, config.intermediate_size), (49152, 576, 1536));
    assert_eq!(
        (config.norm_eps, config.rotary.as_ref().unwrap().theta, config.context_length),
        (1e-5, 100_000.0, 8192)
    );
    assert!(config.tied_head && config.eos_token_ids == [2]);
    assert_eq!(checkpoint.precision(0, MatrixKind::FcIn).unwrap(), Precision::Q4_1);
    let vocabulary = checkpoint.metadata(&["tokenizer.ggml.tokens", "tokenizer.ggml.merges"]).unwrap().unwrap();
    let count = |key: &str| vocabulary[&format!("tokenizer.ggml.{key}")].as_array().unwrap().len();
    assert_eq!((count("tokens"), count("merges")), (49152, 48900));

    let queries = checkpoint.matrix(3, MatrixKind::QProj).unwrap();
    assert_eq!(queries.data()[65 * 576..][..3], [0.166_625_98, -0.282_165_53, 0.116_760_254]);
    assert_eq!(queries.data()[575 * 576 + 575], 0.306_640_62);
    assert!((queries.frobenius_norm() - 128.406_322_749_693_57).abs() < 1e-6);
    let embedding = checkpoint.table(ParamKind::Embedding).unwrap().unwrap();
    assert_eq!(embedding.data()[260 * 576..][..3], [-0.150_634_77, 0.014_122_009, -0.070_610_05]);
    assert!((embedding.frobenius_norm() - 721.398_444_306_300_3).abs() < 1e-6);

    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let edit = Edit::rho(Rho::new(0.2).unwrap());
    let edits = [Intervention { layer: 28, matrix: MatrixKind::FcUp.into(), edit }];
    let records =
        write_model(&checkpoint, &edits, &out, &HuggingFaceWriter::default(), &WriteOptions::default()).unwrap().edits;
    assert_eq!((records[0].shape, records[0].kept_rank), ([1536, 576], Some(115)));
    let written = Checkpoint::open(&out).unwrap();
    for kind in MatrixKind::ALL {
        for layer in [0, 28, 29] {
            let mut expected = checkpoint.matrix(layer, kind).unwrap();
            if (layer, kind) == (28, MatrixKind::FcUp) {
                expected = dense(edits[0].apply(&DecomposedMatrix::new(expected)).unwrap());
            }
            let found = written.matrix(layer, kind).unwrap();
            for (found, expected) in found.data().iter().zip(expected.data()) {
                // Half a unit in the last of f16's 11 bits, or of its subnormals.
                assert!((found - expected).abs() <= (expected.abs() / 2048.0).max(2_f32.powi(-25)));
            }
        }
    }
}
