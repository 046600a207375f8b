//! ggml's block types against the Python package gguf, and each float type against itself.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;

use common::gguf_write::{GgufValue, GgufWriter};
use laser_checkpoint::{Checkpoint, ParamKind, Precision};
use serde::Deserialize;

#[derive(Deserialize)]
struct Block {
    bytes: Vec<u8>,
    values: Vec<f32>,
}

/// A model of one layer whose embedding is `rows` rows of these blocks; everything else is ones.
fn model(precision: Precision, blocks: &[u8], rows: usize, width: usize) -> GgufWriter {
    let mut gguf = GgufWriter::new();
    gguf.metadata("general.architecture", GgufValue::Text("llama".into()));
    let sizes = [("block_count", 1), ("context_length", 8), ("feed_forward_length", 4), ("attention.head_count", 2)];
    for (key, size) in sizes {
        gguf.metadata(&format!("llama.{key}"), GgufValue::U32(size));
    }
    gguf.metadata("llama.embedding_length", GgufValue::U32(width as u32));
    gguf.tensor("token_embd.weight", &[rows, width], precision, blocks.to_vec());
    let ones = |shape: &[usize]| vec![1.0; shape.iter().product()];
    for (name, shape) in [
        ("output_norm", vec![width]),
        ("blk.0.attn_norm", vec![width]),
        ("blk.0.ffn_norm", vec![width]),
        ("blk.0.attn_q", vec![width, width]),
        ("blk.0.attn_k", vec![width, width]),
        ("blk.0.attn_v", vec![width, width]),
        ("blk.0.attn_output", vec![width, width]),
        ("blk.0.ffn_gate", vec![4, width]),
        ("blk.0.ffn_up", vec![4, width]),
        ("blk.0.ffn_down", vec![width, 4]),
    ] {
        gguf.floats(&format!("{name}.weight"), &shape, &ones(&shape));
    }
    gguf
}

fn embedding(precision: Precision, blocks: &[u8], rows: usize, width: usize) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = common::save(&model(precision, blocks, rows, width), folder.path());
    Checkpoint::open(&path).unwrap().table(ParamKind::Embedding).unwrap().unwrap().into_data()
}

#[test]
fn blocks_are_dequantised_as_by_ggml() {
    let blocks: BTreeMap<String, Block> = serde_json::from_str(include_str!("data/quantised.json")).unwrap();
    assert_eq!(blocks.len(), 10);
    for (name, block) in blocks {
        let precision = Precision::ALL.into_iter().find(|precision| precision.name() == name).unwrap();
        assert_eq!(
            (precision.block_values(), precision.block_bytes()),
            (block.values.len(), block.bytes.len()),
            "{name}"
        );
        let found = embedding(precision, &block.bytes.repeat(3), 3, block.values.len());
        for (index, value) in found.iter().enumerate() {
            let expected = block.values[index % block.values.len()];
            assert!((value - expected).abs() <= 1e-6 * expected.abs(), "{name}[{index}]: {value} and {expected}");
        }
    }
}

/// A q8_k block is a float32 scale, 256 signed bytes and sums that are not needed: value = scale * byte.
#[test]
fn q8_k_is_scale_times_byte() {
    let bytes: Vec<u8> = (0..=255).collect();
    let block = [&0.125_f32.to_le_bytes()[..], &bytes, &[0; 32]].concat();
    let expected: Vec<f32> = bytes.iter().map(|&byte| 0.125 * f32::from(byte as i8)).collect();
    assert_eq!(embedding(Precision::Q8K, &block, 1, 256), expected);
}

#[test]
fn sixteen_bit_floats_are_read() {
    // 1.5, -2, the smallest subnormal, the largest number: IEEE 754 binary16, and bfloat16, which is a float32's upper half.
    let halves = |bits: [u16; 4]| bits.iter().flat_map(|bits| bits.to_le_bytes()).collect::<Vec<u8>>();
    assert_eq!(
        embedding(Precision::F16, &halves([0x3e00, 0xc000, 1, 0x7bff]), 1, 4),
        [1.5, -2.0, 2_f32.powi(-24), 65504.0]
    );
    let brain = [0x3fc0, 0xc000, 1, 0x7f7f];
    let expected = brain.map(|bits| f32::from_bits(u32::from(bits) << 16));
    assert_eq!(embedding(Precision::BF16, &halves(brain), 1, 4), expected);
}

/// A row that ends within a block is refused, and so is a scale that is not finite.
#[test]
fn broken_blocks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = common::error_of(&common::save(&model(Precision::Q4_0, &[0; 36], 1, 40), folder.path()));
    assert!(error.contains("no multiple of a q4_0 block"), "{error}");
    let block = [&0x7e00_u16.to_le_bytes()[..], &[1; 32]].concat();
    let error = common::error_of(&common::save(&model(Precision::Q8_0, &block, 1, 32), folder.path()));
    assert!(error.contains("token_embd.weight") && error.contains("not finite"), "{error}");
}
