//! Checkpoints as other programs leave them: what is said of a contradiction, and what is refused.
#![allow(missing_docs)]

mod common;

use std::{fs, path::Path};

use common::gguf::{gguf_metadata, gguf_of};
use common::gguf_write::GgufValue;
use common::{copy_of, error_of, fixture, for_gguf, save, set_config};
use laser_checkpoint::Checkpoint;
use serde_json::json;

fn notes(folder: &Path) -> Vec<String> {
    let checkpoint = Checkpoint::open(folder).unwrap();
    assert!(checkpoint.notes().iter().all(|note| note.lines().count() == 1));
    checkpoint.notes().to_vec()
}

#[test]
fn fixtures_are_without_contradictions() {
    for family in common::fixtures() {
        assert_eq!(notes(&fixture(&family)), [""; 0], "{family}");
    }
}

#[test]
fn each_contradiction_is_told_in_one_line() {
    let rope = |theta: f64| json!({"rope_type": "default", "rope_theta": theta});
    let cases = [
        ("llama", "rope_parameters", rope(5e5), "rope_theta is 10000.0, and 500000.0 in rope_parameters: the latter"),
        ("llama", "partial_rotary_factor", json!(0.5), "transformers 5 does not read it for llama"),
        ("llama", "architectures", json!(["LlamaForSequenceClassification"]), "LlamaForCausalLM is computed"),
        ("phi3", "layer_types", json!(["sliding_attention", "x", "x"]), "does not read it for phi3"),
        ("gemma", "hidden_activation", json!("gelu"), "hidden_activation is \"gelu\", which is not read"),
    ];
    for (family, key, value, expected) in cases {
        let folder = copy_of(family);
        set_config(folder.path(), key, value);
        let notes = notes(folder.path());
        assert!(notes.len() == 1 && notes[0].contains(expected), "{key}: {notes:?}");
    }
    // What says the same twice is not a contradiction.
    for (key, value) in [
        ("rope_parameters", rope(1e4)),
        ("partial_rotary_factor", json!(1.0)),
        ("architectures", json!(["LlamaModel"])),
    ] {
        let folder = copy_of("llama");
        set_config(folder.path(), key, value);
        assert_eq!(notes(folder.path()), [""; 0], "{key}");
    }
}

#[test]
fn scaled_rotary_positions_of_a_part_of_a_head_are_refused_where_no_version_computes_them() {
    let folder = copy_of("llama");
    set_config(folder.path(), "rope_scaling", json!({"type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}));
    assert!(error_of(folder.path()).contains("no version of transformers computes it"));
    let folder = copy_of("qwen2");
    set_config(folder.path(), "rope_parameters", json!({"full_attention": {"rope_type": "default"}}));
    assert!(error_of(folder.path()).contains("rope_parameters.full_attention"));
}

#[test]
fn what_quantises_weights_is_named() {
    let cases = [
        (json!({"quant_method": "gptq", "bits": 4}), "quantised by GPTQ in 4 bits: bring the model's 16-bit weights"),
        (json!({"quant_method": "awq"}), "by AWQ"),
        (json!({"quant_method": "bitsandbytes", "load_in_4bit": true}), "by bitsandbytes"),
        (json!({"quant_method": "compressed-tensors"}), "by compressed-tensors"),
        (json!({"quant_method": "fp8"}), "by FP8"),
        (json!({"quant_method": "new"}), "by new"),
    ];
    for (settings, expected) in cases {
        let folder = copy_of("llama");
        set_config(folder.path(), "quantization_config", settings);
        let error = error_of(folder.path());
        assert!(error.contains(expected), "{error}");
    }
    let folder = copy_of("llama");
    set_config(folder.path(), "quantization", json!({"group_size": 64, "bits": 4}));
    assert!(error_of(folder.path()).contains("quantization says that the weights are quantised by MLX in 4 bits"));
}

/// A folder whose weights have `name` in place of a weight of the first layer.
fn with_renamed(name: &str) -> tempfile::TempDir {
    let folder = copy_of("llama");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let header = header.trim_end().replace("model.layers.0.self_attn.q_proj.weight", name);
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(&bytes[8 + length..]);
    fs::write(path, out).unwrap();
    folder
}

#[test]
fn what_stands_in_place_of_a_missing_weight_tells_why() {
    let gptq = with_renamed("model.layers.0.self_attn.q_proj.qweight");
    assert!(error_of(gptq.path()).contains("quantised by GPTQ or AWQ, as"));
    fs::write(gptq.path().join("quantize_config.json"), "{}").unwrap();
    assert!(error_of(gptq.path()).contains("quantised by GPTQ (quantize_config.json), as"));
    let lora = with_renamed("model.layers.0.self_attn.q_proj.lora_A.weight");
    assert!(error_of(lora.path()).contains("merge them"));
    let plain = with_renamed("model.layers.0.self_attn.other");
    assert!(error_of(plain.path()).contains("tensor \"model.layers.0.self_attn.q_proj.weight\" is missing"));
}

#[test]
fn an_adapter_says_which_model_it_belongs_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("adapter_config.json"), r#"{"base_model_name_or_path": "org/base"}"#).unwrap();
    let expected = "it is an adapter of \"org/base\": merge it into that model";
    assert!(error_of(folder.path()).contains(expected));
    fs::copy(fixture("llama").join("config.json"), folder.path().join("config.json")).unwrap();
    assert!(error_of(folder.path()).contains(expected));
}

#[test]
fn what_only_other_programs_put_before_names_is_told() {
    let folder = copy_of("llama");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let header =
        header.trim_end().replace("\"model.", "\"base_model.model.model.").replace("\"lm_", "\"base_model.model.lm_");
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(&bytes[8 + length..]);
    fs::write(path, out).unwrap();
    let notes = notes(folder.path());
    assert!(notes.len() == 1 && notes[0].contains("start with \"base_model.model.\""), "{notes:?}");
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    common::assert_same(&Checkpoint::open(&fixture("llama")).unwrap(), &checkpoint, 0.0);
}

#[test]
fn a_gguf_may_list_a_value_for_each_layer() {
    let folder = tempfile::tempdir().unwrap();
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    let listed = |values: Vec<i32>| {
        let mut gguf = gguf_of(&source);
        gguf.replace("llama.attention.head_count_kv", GgufValue::I32s(values));
        save(&gguf, folder.path())
    };
    common::assert_same(&source, &Checkpoint::open(&listed(vec![2; 3])).unwrap(), 1e-6);
    let error = error_of(&listed(vec![2, 1, 2]));
    assert!(error.contains("head_count_kv: it differs by layer, [2,1,2]"), "{error}");

    let source = for_gguf("gemma3_text");
    let source = Checkpoint::open(source.path()).unwrap();
    let windows = |value: GgufValue| {
        let mut gguf = gguf_of(&source);
        gguf.metadata("gemma3.attention.sliding_window_pattern", value);
        Checkpoint::open(&save(&gguf, folder.path())).map(|gguf| gguf.config().windows.clone())
    };
    let width = source.config().windows[0];
    assert_eq!(windows(GgufValue::Bools(vec![true, false, true])).unwrap(), [width, None, width]);
    assert_eq!(windows(GgufValue::U32(2)).unwrap(), [width, None, width]);
    assert!(windows(GgufValue::Bools(vec![true, false])).unwrap_err().to_string().contains("each of 3 layers"));
}

#[test]
fn a_gguf_with_a_vocabulary_alone_is_told_from_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let gguf = gguf_metadata(&Checkpoint::open(&fixture("llama")).unwrap());
    assert!(error_of(&save(&gguf, folder.path())).contains("it holds a vocabulary and no tensors"));
}
