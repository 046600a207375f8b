//! Opening checkpoints: what is read, and what is refused in one line.
#![allow(missing_docs)]

mod common;

use std::fs;

use common::gguf::{gguf_metadata, gguf_of};
use common::gguf_write::{GgufValue, GgufWriter};
use common::{FAMILIES, copy_of, error_of, fixture, fixtures, for_gguf, save, set_config};
use laser_checkpoint::{Architecture, Checkpoint, ParamKind, Precision, Residual};
use laser_edit::MatrixKind;
use serde_json::json;

#[test]
fn every_embedded_table_is_read() {
    let families = Architecture::embedded().unwrap();
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/architectures")).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(families.iter().map(|family| family.family.clone()).collect::<Vec<_>>(), names);
}

#[test]
fn a_table_is_like_another_but_for_what_it_says() {
    let text = "like = \"llama\"\nfamily = \"mine\"\nmodel_type = \"mine\"\nclasses = [\"Mine\"]\n[tensors]\nmlp_norm = false\n";
    let mine = Architecture::from_toml("mine.toml", text).unwrap();
    assert_eq!((mine.family.as_str(), mine.gguf_architectures.as_slice()), ("mine", &["llama".to_owned()][..]));
    let cases = [
        ("like = \"lama\"", "names no other table"),
        ("like = \"llama\"\n[block]\nnorm = \"batch\"", "unknown variant `batch`"),
        ("like = \"llama\"\n[config]\nlayer_count = { json = [\"n\"] }", "unknown field `layer_count`"),
        ("like = \"llama\"\n[tensors]\nhead = false", "tensors.head is missing"),
        ("like = \"llama\"\n[matrices]\nfc_in = { hf = \"w1.weight\" }", "lacks {layer}"),
        ("like = \"llama\"\n[matrices]\nfc_in = { gguf = \"{layer}.w1\" }", "lacks its Hugging Face name"),
        ("like = \"llama\"\n[tensors]\nrouter = { hf = \"{layer}.gate\" }", "needs config.experts"),
        ("like = \"llama\"\n[tensors]\nshared_gate = { hf = \"{layer}.gate\" }", "a shared expert is"),
        ("like = \"cohere\"\n[tensors]\nfinal_norm = false", "logits are scaled behind a final norm"),
        ("like = \"bloom\"\n[block]\nmasked = true", "alibi is not computed in a masked model"),
        ("like = \"llama\"\n[matrices]\nfc_up = { hf = \"model.layers.{layer}.mlp.gate_proj.weight\" }", "one name"),
        ("like = \"bert\"\n[config]\nsliding_window = { default = 4 }", "windows are not computed"),
        ("like = \"gemma2\"\n[block]\nresidual = \"post\"", "output norms"),
        ("like = ", "line 1"),
    ];
    for (text, expected) in cases {
        let error = Architecture::from_toml("mine.toml", text).unwrap_err().to_string();
        assert!(error.contains("mine.toml") && error.contains(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_table_that_opens_brackets_without_end_is_refused() {
    // The library overflowed its stack on the first, and says of the others that they are too deep.
    for piece in ["norm = { js\nclasses = [\"X\"]\n", "a = [", "a = { b = "] {
        let error = Architecture::from_toml("mine.toml", &piece.repeat(20_000)).unwrap_err().to_string();
        assert!(error.contains("more than 1000 brackets"), "{error}");
        assert!(Architecture::from_toml("mine.toml", &piece.repeat(450)).is_err());
    }
}

#[test]
fn a_table_of_ones_own_opens_a_model_of_a_new_name() {
    let folder = copy_of("llama");
    set_config(folder.path(), "model_type", json!("mine"));
    set_config(folder.path(), "architectures", json!(["MineForCausalLM"]));
    let text = "like = \"llama\"\nfamily = \"mine\"\nmodel_type = \"mine\"\nclasses = [\"MineForCausalLM\"]\n";
    let table = folder.path().join("mine.toml");
    fs::write(&table, text).unwrap();
    assert!(error_of(folder.path()).contains("--architecture FILE"));
    let own = Checkpoint::open_as(folder.path(), Some(Architecture::open(&table).unwrap())).unwrap();
    common::assert_same(&Checkpoint::open(&fixture("llama")).unwrap(), &own, 0.0);
}

#[test]
fn a_misspelt_key_of_a_table_is_named_with_its_line() {
    let text = include_str!("../architectures/llama.toml").replace("rotary = ", "rottary = ");
    let error = Architecture::from_toml("mine.toml", &text).unwrap_err().to_string();
    assert!(error.contains("mine.toml") && error.contains("rottary") && error.contains("line 11"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn fixtures_open() {
    for family in FAMILIES {
        let checkpoint = Checkpoint::open(&fixture(family)).unwrap();
        let config = checkpoint.config();
        assert_eq!(checkpoint.architecture().family, family);
        assert_eq!((config.vocab_size, config.hidden_size, config.intermediate_size), (400, 48, 96));
        assert_eq!((config.layers, config.heads, config.head_dim), (3, 4, 12));
        assert_eq!(config.kv_heads, if family == "mistral" { 1 } else { 2 });
        assert_eq!(
            (config.norm_eps, config.rotary.as_ref().unwrap().theta, config.context_length),
            (1e-6, 10000.0, 128)
        );
        assert_eq!((config.bos_token_id, config.eos_token_ids.as_slice()), (Some(1), [2].as_slice()));
        assert_eq!(config.windows[2], None);
        assert_eq!(config.tied_head, family == "qwen2");
        assert_eq!(checkpoint.table(ParamKind::Head).unwrap().is_none(), config.tied_head);
        for kind in MatrixKind::ALL {
            let matrix = checkpoint.matrix(2, kind).unwrap();
            assert_eq!([matrix.rows(), matrix.cols()], kind.shape(config));
            let has_bias =
                family == "qwen2" && [MatrixKind::QProj, MatrixKind::KProj, MatrixKind::VProj].contains(&kind);
            assert_eq!(
                checkpoint.bias(ParamKind::Matrix(kind), 2, None).unwrap().map(|bias| bias.len()),
                has_bias.then_some(matrix.rows())
            );
            assert_eq!(checkpoint.precision(2, kind).unwrap(), Precision::F32);
        }
        assert_eq!(checkpoint.metadata(&["tokenizer.ggml.model"]).unwrap(), None);
    }
}

#[test]
fn a_fingerprint_is_the_sha256_of_each_file() {
    let hashes = Checkpoint::open(&fixture("llama")).unwrap().fingerprint().unwrap();
    let names: Vec<&str> = hashes.iter().map(|hash| hash.name.as_str()).collect();
    assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    let folder = copy_of("llama");
    fs::write(folder.path().join("tokenizer.json"), "abc").unwrap();
    let hashes = Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap();
    // FIPS 180-2, appendix B.1.
    assert_eq!(hashes[2].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hashes[2].bytes, 3);
    // Files are read for it once.
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let hashes = checkpoint.fingerprint().unwrap();
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert_eq!(checkpoint.fingerprint().unwrap(), hashes);
}

#[test]
fn a_layer_that_is_not_there_is_refused() {
    let checkpoint = Checkpoint::open(&fixture("llama")).unwrap();
    let error = checkpoint.matrix(99, MatrixKind::FcIn).unwrap_err().to_string();
    assert_eq!(error, "layer 99 is out of range: the model has layers 0 to 2 (or -3 to -1)");
}

/// The config key, its value, and what the message must say.
#[test]
fn what_would_be_computed_wrongly_is_refused() {
    let cases = [
        ("llama", "model_type", json!("mamba"), "unknown model_type \"mamba\": the known ones are arcee, bert, bloom,"),
        ("llama", "model_type", json!("two\nlines"), "two\\nlines"),
        ("llama", "rope_scaling", json!({"type": "linear", "factor": -2.0}), "factor is -2.0, but must be"),
        ("llama", "rope_scaling", json!({"rope_type": "llama3", "factor": 8.0}), "low_freq_factor is missing"),
        ("llama", "rope_scaling", json!({"factor": 8.0}), "its type is null"),
        ("phi3", "rope_scaling", json!({"type": "longrope"}), "known are default, linear, dynamic, llama3 and yarn"),
        ("llama", "rope_parameters", json!({"rope_type": "yarn", "rope_theta": 1e4}), "factor is missing"),
        ("llama", "hidden_act", json!("mish"), "hidden_act is \"mish\""),
        ("phi3", "partial_rotary_factor", json!(0.25), "rotary dimensions: it is 3, but must be even"),
        ("gptj", "rotary_dim", json!(14), "to the head width, 12"),
        ("gpt2", "scale_attn_by_inverse_layer_idx", json!(true), "scaled by the layer"),
        ("mixtral", "num_experts_per_tok", json!(5), "experts per token: it is 5"),
        ("qwen3_moe", "mlp_only_layers", json!([1]), "layers without experts"),
        ("opt", "do_layer_norm_before", json!(false), "350M"),
        ("bert", "position_embedding_type", json!("relative_key"), "relative positions"),
        ("roberta", "max_position_embeddings", json!(1), "must be from 1"),
        (
            "llama",
            "quantization_config",
            json!({"bits": 4}),
            "quantization_config says that the weights are quantised in 4",
        ),
        ("llama", "hidden_size", json!(0), "must be from 1"),
        ("llama", "hidden_size", json!(-48), "expected a whole number"),
        ("llama", "hidden_size", json!("48"), "expected a whole number"),
        ("llama", "hidden_size", serde_json::Value::Null, "hidden_size: it is missing"),
        ("llama", "hidden_size", json!(1_u64 << 60), "must be from 1"),
        ("llama", "num_attention_heads", json!(1_u64 << 23), "heads times head width"),
        ("llama", "num_hidden_layers", json!(1_u64 << 40), "number of layers"),
        ("llama", "num_key_value_heads", json!(3), "cannot share"),
        ("llama", "head_dim", json!(11), "even"),
        ("llama", "rope_theta", json!(0.0), "rope theta"),
        ("llama", "rms_norm_eps", json!(-1.0), "norm epsilon"),
        ("llama", "eos_token_id", json!("</s>"), "expected token ids"),
        ("llama", "attention_bias", json!(true), "q_proj.bias\" is missing"),
        ("llama", "mlp_bias", json!("yes"), "expected true or false"),
        ("llama", "vocab_size", json!(401), "is [400, 48], but the configuration implies [401, 48]"),
        ("llama", "intermediate_size", json!(95), "gate_proj.weight"),
        ("llama", "num_hidden_layers", json!(4), "model.layers.3."),
        ("qwen2", "tie_word_embeddings", json!(false), "\"lm_head.weight\" is missing"),
        ("qwen2", "layer_types", json!(["full_attention", "sliding_attention"]), "2 entries for 3 layers"),
        ("qwen2", "layer_types", json!(["full_attention", "sliding_attention", "x"]), "layer_types[1]: it slides"),
        ("gemma2", "layer_types", json!(["full_attention", "linear_attention", "x"]), "layer_types[1]"),
        ("gpt_neo", "attention_layers", json!(["global", "strided", "local"]), "attention_layers[1]"),
        ("smollm3", "no_rope_layers", json!([1]), "no_rope_layers: expected a flag for each of 4 layers"),
        ("cohere", "use_qk_norm", json!(true), "a norm for each head"),
        ("granite", "residual_multiplier", json!(0.0), "residual scale: it is 0"),
        ("falcon", "alibi", json!(true), "bfloat16"),
        ("falcon_40b", "num_ln_in_parallel_attn", json!(3), "other numbers of norms"),
    ];
    for (family, key, value, expected) in cases {
        let folder = copy_of(family);
        set_config(folder.path(), key, value.clone());
        let error = error_of(folder.path());
        assert!(error.contains(expected), "{key} = {value}: {error}");
    }
}

#[test]
fn defaults_and_windows_are_those_of_transformers() {
    let folder = copy_of("llama");
    for key in ["num_key_value_heads", "rope_theta", "head_dim", "architectures", "tie_word_embeddings", "eos_token_id"]
    {
        set_config(folder.path(), key, serde_json::Value::Null);
    }
    // Without the key there are as many key/value heads as heads, which these weights contradict.
    assert!(error_of(folder.path()).contains("k_proj"));
    set_config(folder.path(), "num_key_value_heads", json!(2));
    set_config(folder.path(), "rope_parameters", json!({"rope_type": "default", "rope_theta": 5e5}));
    fs::write(folder.path().join("generation_config.json"), r#"{"eos_token_id": [5, 7]}"#).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!((checkpoint.config().rotary.as_ref().unwrap().theta, checkpoint.config().head_dim), (5e5, 12));
    assert_eq!(checkpoint.config().eos_token_ids, [5, 7]);

    let folder = copy_of("mistral");
    set_config(folder.path(), "sliding_window", serde_json::Value::Null);
    assert_eq!(Checkpoint::open(folder.path()).unwrap().config().windows[0], Some(4096));

    let folder = copy_of("qwen2");
    set_config(folder.path(), "sliding_window", json!(16));
    assert_eq!(Checkpoint::open(folder.path()).unwrap().config().windows[2], None);
    set_config(folder.path(), "use_sliding_window", json!(true));
    set_config(folder.path(), "max_window_layers", json!(1));
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.config().windows, [None, Some(16), Some(16)]);
}

/// What a family asks of its block, as its configuration says it.
#[test]
fn what_layers_do_differently_is_read_from_the_configuration() {
    let config = |family: &str| Checkpoint::open(&fixture(family)).unwrap().config().clone();
    assert_eq!(config("smollm3").rotated, [true, true, true, false]);
    assert_eq!(config("cohere2").rotated, [true, true, true, false]);
    assert_eq!(config("cohere2").windows, [Some(5), Some(5), Some(5), None]);
    assert_eq!(config("gpt_neo").windows, [None, Some(4), Some(4)]);
    let folder = copy_of("gpt_neo");
    set_config(folder.path(), "attention_layers", serde_json::Value::Null);
    assert_eq!(Checkpoint::open(folder.path()).unwrap().config().windows, [None, Some(4), Some(4)]);
    assert_eq!((config("falcon").kv_heads, config("falcon_40b").kv_heads, config("bloom").kv_heads), (1, 2, 4));
    assert_eq!((config("gpt_bigcode").kv_heads, config("gpt_bigcode_heads").kv_heads), (1, 4));
    // From position 64 on queries would grow, which is not computed.
    assert_eq!(config("ministral3").context_length, 64);
    let granite = config("granite");
    let scales = [granite.embedding_scale, granite.residual_scale, granite.logit_scale, Some(granite.attention_scale)];
    assert_eq!(scales, [Some(6.0), Some(0.25), Some(0.25), Some(0.125)]);
    assert_eq!(config("qwen2_moe").shared_size, 48);
    let shared = |layer| Checkpoint::open(&fixture("qwen2_moe")).unwrap().shared_expert(ParamKind::SharedOut, layer);
    let out = shared(2).unwrap().unwrap();
    assert_eq!([out.rows(), out.cols()], [32, 48]);
    assert!(shared(3).is_err());
    let families = ["falcon", "falcon_11b", "falcon_40b"];
    assert_eq!(families.map(|name| Checkpoint::open(&fixture(name)).unwrap().architecture().family.clone()), families);
}

#[test]
fn a_place_without_a_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(error_of(folder.path()).contains("no config.json"));
    assert!(error_of(&folder.path().join("nothing")).contains("cannot open"));
    fs::copy(fixture("llama").join("config.json"), folder.path().join("config.json")).unwrap();
    assert!(error_of(folder.path()).contains("it has none of model.safetensors, "));
    assert!(error_of(&fixture("llama").join("model.safetensors")).contains("give the folder"));
    fs::write(folder.path().join("empty.gguf"), "").unwrap();
    assert!(error_of(&folder.path().join("empty.gguf")).contains("empty"));
}

#[test]
fn gguf_files_give_the_same_model() {
    let mut families = Vec::new();
    let keys = ["model", "pre", "tokens", "token_type", "merges", "eos_token_id", "add_bos_token", "add_space_prefix"];
    let keys = keys.map(|key| format!("tokenizer.ggml.{key}"));
    for family in fixtures() {
        let source = for_gguf(&family);
        let source = Checkpoint::open(source.path()).unwrap();
        if source.architecture().gguf_architectures.is_empty() && family != "mistral" {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let gguf = Checkpoint::open(&save(&gguf_of(&source), folder.path())).unwrap();
        common::assert_same(&source, &gguf, 1e-6);
        assert_eq!(gguf.config(), source.config(), "{family}");
        let vocabulary = gguf.metadata(&keys.each_ref().map(String::as_str)).unwrap().unwrap();
        let of = |key: &str| &vocabulary[&format!("tokenizer.ggml.{key}")];
        assert_eq!((of("model"), of("pre")), (&json!("gpt2"), &json!("smollm")));
        assert_eq!((&of("tokens")[3], &of("token_type")[0]), (&json!("ab"), &json!(3)));
        assert_eq!((&of("merges")[0], of("eos_token_id")), (&json!("a b"), &json!(2)));
        assert_eq!((of("add_bos_token"), vocabulary.get("tokenizer.ggml.add_space_prefix")), (&json!(false), None));
        families.push(family);
    }
    assert!(families.len() >= 15, "{families:?}");
}

#[test]
fn a_gguf_that_would_be_computed_wrongly_is_refused() {
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("llama.expert_count", GgufValue::U32(8), "blk.0.ffn_gate_inp.weight\" is missing"),
        ("llama.rope.scaling.type", GgufValue::Text("yarn".into()), "yarn"),
        ("split.count", GgufValue::U32(3), "join them"),
        ("general.alignment", GgufValue::U32(3), "general.alignment"),
        ("llama.block_count", GgufValue::U32(3), "comes twice"),
    ];
    for (key, value, expected) in cases {
        let mut gguf = gguf_of(&source);
        gguf.metadata(key, value);
        let error = error_of(&save(&gguf, folder.path()));
        assert!(error.contains(expected), "{key}: {error}");
    }
    let mut gguf = gguf_of(&source);
    gguf.floats("rope_freqs.weight", &[6], &[1.0, 5.0, 2.0, 5.0, 2.0, 5.0]);
    assert!(error_of(&save(&gguf, folder.path())).contains("rope_freqs.weight"));
    let mut gguf = gguf_metadata(&source);
    gguf.tensor_of_type("blk.0.odd", &[32], 23, vec![0; 64]);
    let error = error_of(&save(&gguf, folder.path()));
    assert!(error.contains("\"blk.0.odd\"") && error.contains("23"), "{error}");
    let mut gguf = GgufWriter::new();
    gguf.metadata("general.architecture", GgufValue::Text("bert".into()));
    assert!(
        error_of(&save(&gguf, folder.path()))
            .contains("unknown general.architecture \"bert\": the known ones are arcee, bloom, cohere2, command-r,")
    );
}

#[test]
fn sizes_of_a_gguf_are_checked_before_anything_is_made_of_them() {
    let folder = tempfile::tempdir().unwrap();
    for (heads, width) in [(u32::MAX, u32::MAX), (0xff00_0002, 16), (4, u32::MAX), (4, 0)] {
        let mut gguf = GgufWriter::new();
        gguf.metadata("general.architecture", GgufValue::Text("llama".into()));
        for (key, value) in [
            ("block_count", 3),
            ("context_length", 128),
            ("embedding_length", 48),
            ("feed_forward_length", 96),
            ("vocab_size", 400),
            ("attention.head_count", heads),
            ("attention.head_count_kv", heads),
            ("attention.key_length", width),
            ("rope.dimension_count", width),
        ] {
            gguf.metadata(&format!("llama.{key}"), GgufValue::U32(value));
        }
        gguf.floats("rope_freqs.weight", &[2], &[1.0, 2.0]);
        assert!(error_of(&save(&gguf, folder.path())).contains("must be from 1"));
    }
}

#[test]
fn a_quantised_vector_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut gguf = gguf_of(&Checkpoint::open(&fixture("llama")).unwrap());
    // Two blocks of 32 and a scale each; the configuration has 48.
    gguf.tensor("blk.0.attn_q.bias", &[64], Precision::Q8_0, vec![0; 68]);
    assert!(error_of(&save(&gguf, folder.path())).contains("q_proj and k_proj"));
    for name in ["k", "v", "output"] {
        gguf.tensor(&format!("blk.0.attn_{name}.bias"), &[64], Precision::Q8_0, vec![0; 68]);
    }
    assert!(error_of(&save(&gguf, folder.path())).contains("is [64]"));
}

#[test]
fn a_tensor_that_would_be_left_out_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut gguf = gguf_of(&Checkpoint::open(&fixture("llama")).unwrap());
    gguf.floats("blk.1.attn_q_norm.weight", &[12], &[1.0; 12]);
    let error = error_of(&save(&gguf, folder.path()));
    assert!(error.contains("blk.1.attn_q_norm.weight") && error.contains("would be left out"), "{error}");
}

/// Converters write `use_parallel_residual = true` for every StableLM.
#[test]
fn a_second_norm_tells_the_layout_of_a_stablelm_gguf() {
    for (name, residual) in [("stablelm", Residual::Pre), ("stablelm_parallel", Residual::Parallel)] {
        let folder = tempfile::tempdir().unwrap();
        let source = Checkpoint::open(&fixture(name)).unwrap();
        assert_eq!(source.config().residual, residual);
        let gguf = Checkpoint::open(&save(&gguf_of(&source), folder.path())).unwrap();
        assert_eq!(gguf.config().residual, residual, "{name}");
    }
}

#[test]
fn heads_that_cannot_share_a_tensor_are_refused() {
    let folder = copy_of("gpt_neox");
    let text = "like = \"gpt_neox\"\n[config]\nkv_heads = { json = [\"kv\"], default = \"heads\" }\n";
    set_config(folder.path(), "kv", json!(2));
    let table = Architecture::from_toml("mine.toml", text).unwrap();
    // Two groups of two query heads, a key and a value.
    let error = Checkpoint::open_as(folder.path(), Some(table)).unwrap_err().to_string();
    assert!(error.contains("is [144, 48], but the configuration implies [96, 48]"), "{error}");
    let text = "like = \"phi3\"\n[matrices]\nfc_in = { hf = \"{layer}.weight\", hf_fused = \"by_head\" }";
    assert!(Architecture::from_toml("mine.toml", text).unwrap_err().to_string().contains("cannot be fused by head"));
}

/// What config.json says of thin matrices must be of matrices that the model has.
#[test]
fn modules_that_are_no_matrices_are_refused() {
    for (family, modules, message) in [
        ("llama", json!({ "layers.0.input_layernorm": { "rank": 3 } }), "no matrix there"),
        ("llama", json!({ "layers.9.mlp.up_proj": { "rank": 3 } }), "no matrix there"),
        ("llama", json!({ "layers.0.mlp.up_proj": { "rank": 0 } }), "other matrices there"),
        ("llama", json!({ "layers.0.mlp.up_proj": {} }), "other matrices there"),
        ("phi3", json!({ "layers.0.self_attn.qkv_proj": { "rank": 3 } }), "other matrices there"),
        ("mixtral", json!({ "layers.0.block_sparse_moe.experts.0.w1": { "rank": 3 } }), "no matrix there"),
        ("llama", json!({ "layers.0.mlp.up_proj": { "rank": 3 } }), "factor_in"),
    ] {
        let folder = copy_of(family);
        set_config(folder.path(), "laser", json!({ "modules": modules }));
        let error = error_of(folder.path());
        assert!(error.contains(message), "{modules}: {error}");
    }
}
