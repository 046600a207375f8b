//! Checkpoints as llama.cpp's converter writes them, in float32.

use super::interleave;
use laser_checkpoint::{Checkpoint, Norm, ParamKind, Residual, RopeScaling, RotaryConfig};
use laser_edit::{MatrixId, MatrixKind};

use super::gguf_write::{GgufValue, GgufWriter};

/// The metadata.
pub fn gguf_metadata(checkpoint: &Checkpoint) -> GgufWriter {
    let config = checkpoint.config();
    let family = checkpoint.architecture().family.as_str();
    let arch = checkpoint.architecture().gguf_architectures.first().map_or("llama", String::as_str);
    let mut gguf = GgufWriter::new();
    gguf.metadata("general.architecture", GgufValue::Text(arch.to_owned()));
    let mut sizes = vec![
        ("block_count", config.layers),
        ("context_length", config.context_length),
        ("embedding_length", config.hidden_size),
        ("attention.head_count", config.heads),
        ("attention.head_count_kv", config.kv_heads),
        ("attention.key_length", config.head_dim),
        ("vocab_size", config.vocab_size),
        (
            if family == "qwen3_moe" { "expert_feed_forward_length" } else { "feed_forward_length" },
            config.intermediate_size,
        ),
    ];
    if let Some(experts) = config.experts {
        sizes.extend([("expert_count", experts.count), ("expert_used_count", experts.per_token)]);
    }
    if let Some(rotary) = &config.rotary {
        sizes.push(("rope.dimension_count", rotary.dim));
        gguf.metadata(&format!("{arch}.rope.freq_base"), GgufValue::F32(rotary.theta as f32));
        let (kind, factor, original) = match rotary.scaling {
            RopeScaling::None | RopeScaling::Llama3 { .. } | RopeScaling::Alpha { .. } => ("none", 1.0, 1.0),
            RopeScaling::Linear { factor } => ("linear", factor, 1.0),
            RopeScaling::Yarn { factor, original_context, .. } => ("yarn", factor, original_context),
        };
        if kind != "none" {
            gguf.metadata(&format!("{arch}.rope.scaling.type"), GgufValue::Text(kind.to_owned()));
            gguf.metadata(&format!("{arch}.rope.scaling.factor"), GgufValue::F32(factor as f32));
            gguf.metadata(&format!("{arch}.rope.scaling.original_context_length"), GgufValue::U32(original as u32));
        }
    }
    if let Some(window) = config.windows.iter().flatten().next() {
        sizes.push(("attention.sliding_window", *window));
    }
    for (key, size) in sizes {
        gguf.metadata(&format!("{arch}.{key}"), GgufValue::U32(size.try_into().unwrap()));
    }
    for (key, cap) in
        [("attn_logit_softcapping", config.attention_softcap), ("final_logit_softcapping", config.final_softcap)]
    {
        if let Some(cap) = cap {
            gguf.metadata(&format!("{arch}.{key}"), GgufValue::F32(cap as f32));
        }
    }
    let scales = match arch {
        "granite" | "granitemoe" => vec![
            ("embedding_scale", config.embedding_scale),
            ("residual_scale", config.residual_scale),
            ("attention.scale", Some(config.attention_scale)),
            ("logit_scale", config.logit_scale.map(|scale| 1.0 / scale)),
        ],
        "command-r" | "cohere2" => vec![("logit_scale", config.logit_scale)],
        "mpt" => vec![("attention.max_alibi_bias", config.alibi)],
        _ => Vec::new(),
    };
    for (key, scale) in scales {
        gguf.metadata(&format!("{arch}.{key}"), GgufValue::F32(scale.unwrap_or(1.0) as f32));
    }
    if ["gptneox", "stablelm"].contains(&arch) {
        let parallel = arch == "stablelm" || config.residual == Residual::Parallel;
        gguf.metadata(&format!("{arch}.use_parallel_residual"), GgufValue::Bool(parallel));
    }
    let epsilon = match config.norm {
        Norm::Rms => "layer_norm_rms_epsilon",
        Norm::Layer => "layer_norm_epsilon",
    };
    gguf.metadata(&format!("{arch}.attention.{epsilon}"), GgufValue::F32(config.norm_eps as f32));
    gguf.metadata("tokenizer.ggml.model", GgufValue::Text("gpt2".to_owned()));
    gguf.metadata("tokenizer.ggml.pre", GgufValue::Text("smollm".to_owned()));
    gguf.metadata("tokenizer.ggml.tokens", GgufValue::Texts(vec!["<s>".into(), "a".into(), "b".into(), "ab".into()]));
    gguf.metadata("tokenizer.ggml.token_type", GgufValue::I32s(vec![3, 1, 1, 1]));
    gguf.metadata("tokenizer.ggml.merges", GgufValue::Texts(vec!["a b".into()]));
    gguf.metadata("tokenizer.ggml.bos_token_id", GgufValue::U32(1));
    gguf.metadata("tokenizer.ggml.eos_token_id", GgufValue::U32(2));
    gguf.metadata("tokenizer.ggml.add_bos_token", GgufValue::Bool(false));
    gguf
}

/// llama.cpp's own name of a param, without `blk.N.` and `.weight`.
fn name_of(param: ParamKind, gated: bool, family: &str) -> &'static str {
    match param {
        ParamKind::EmbeddingNorm => "token_embd_norm",
        ParamKind::MlpNorm if family == "seed_oss" => "post_attention_norm",
        ParamKind::Embedding => "token_embd",
        ParamKind::Positions => "position_embd",
        ParamKind::FinalNorm => "output_norm",
        ParamKind::Head => "output",
        ParamKind::AttentionNorm => "attn_norm",
        ParamKind::AttentionOutputNorm => "post_attention_norm",
        ParamKind::QueryNorm => "attn_q_norm",
        ParamKind::KeyNorm => "attn_k_norm",
        ParamKind::MlpNorm => "ffn_norm",
        ParamKind::MlpOutputNorm => "post_ffw_norm",
        ParamKind::Router => "ffn_gate_inp",
        ParamKind::Matrix(MatrixKind::QProj) => "attn_q",
        ParamKind::Matrix(MatrixKind::KProj) => "attn_k",
        ParamKind::Matrix(MatrixKind::VProj) => "attn_v",
        ParamKind::Matrix(MatrixKind::OutProj) => "attn_output",
        ParamKind::Matrix(MatrixKind::FcIn) if gated => "ffn_gate",
        ParamKind::Matrix(MatrixKind::FcIn | MatrixKind::FcUp) => "ffn_up",
        ParamKind::Matrix(MatrixKind::FcOut) => "ffn_down",
        ParamKind::SharedIn
        | ParamKind::SharedUp
        | ParamKind::SharedOut
        | ParamKind::SharedGate
        | ParamKind::TokenTypes
        | ParamKind::HeadDense
        | ParamKind::HeadNorm => {
            panic!("llama.cpp has no {param} of ours")
        }
    }
}

/// The whole file.
pub fn gguf_of(checkpoint: &Checkpoint) -> GgufWriter {
    let config = checkpoint.config();
    let family = checkpoint.architecture().family.as_str();
    let paired = ["llama", "mistral", "mixtral", "olmo", "granite", "granitemoe", "smollm3", "arcee", "internlm2"]
        .contains(&family);
    let fused_qkv = ["gpt2", "gpt_neox", "phi3", "gpt_bigcode", "falcon", "bloom", "mpt"].contains(&family);
    let gated = config.matrices.contains(&MatrixKind::FcUp);
    let mut gguf = gguf_metadata(checkpoint);
    // (name, cols, values): what comes twice under one name is stacked.
    let mut tensors: Vec<(String, Option<usize>, Vec<f32>)> = Vec::new();
    let mut add =
        |name: String, cols: Option<usize>, values: Vec<f32>| match tensors.iter_mut().find(|other| other.0 == name) {
            Some(other) => other.2.extend(values),
            None => tensors.push((name, cols, values)),
        };
    for &param in &config.params {
        for layer in 0..if param.is_in_layer() { config.layers } else { 1 } {
            let place = if param.is_in_layer() { format!("blk.{layer}.") } else { String::new() };
            let mut name = name_of(param, gated, family);
            match param {
                ParamKind::Matrix(MatrixKind::QProj | MatrixKind::KProj | MatrixKind::VProj) if fused_qkv => {
                    name = "attn_qkv"
                }
                ParamKind::Matrix(MatrixKind::FcIn) if ["phi3", "glm4"].contains(&family) => name = "ffn_up",
                _ => {}
            }
            let order = |values: Vec<f32>, cols| match param {
                ParamKind::Matrix(MatrixKind::QProj) if paired => interleave(&values, config.heads, cols),
                ParamKind::Matrix(MatrixKind::KProj) if paired => interleave(&values, config.kv_heads, cols),
                _ => values,
            };
            let experts = match (param, config.experts) {
                (ParamKind::Matrix(kind), Some(experts)) if MatrixKind::MLP.contains(&kind) => experts.count,
                _ => 0,
            };
            if experts > 0 {
                let ParamKind::Matrix(kind) = param else { unreachable!() };
                let [rows, cols] = kind.shape(config);
                let all: Vec<f32> = (0..experts)
                    .flat_map(|expert| {
                        checkpoint.matrix(layer, MatrixId { kind, expert: Some(expert) }).unwrap().into_data()
                    })
                    .collect();
                gguf.floats(&format!("{place}{name}_exps.weight"), &[experts, rows, cols], &all);
                continue;
            }
            let matrix = match param {
                ParamKind::Matrix(kind) => Some(checkpoint.matrix(layer, kind).unwrap()),
                ParamKind::Router => Some(checkpoint.router(layer).unwrap()),
                param if param.is_norm() => None,
                param => checkpoint.table(param).unwrap(),
            };
            if let Some(matrix) = matrix {
                let cols = matrix.cols();
                add(format!("{place}{name}.weight"), Some(cols), order(matrix.into_data(), cols));
            } else if let Some(norm) = checkpoint.norm(param, layer).unwrap() {
                add(format!("{place}{name}.weight"), None, norm);
            }
            if let Some(bias) = checkpoint.bias(param, layer, None).unwrap() {
                add(format!("{place}{name}.bias"), None, order(bias, 1));
            }
        }
    }
    if let Some(rotary) = config.rotary.as_ref().filter(|rotary| matches!(rotary.scaling, RopeScaling::Llama3 { .. })) {
        let plain = RotaryConfig { scaling: RopeScaling::None, ..rotary.clone() }.inverse_frequencies();
        let factors: Vec<f32> =
            plain.iter().zip(rotary.inverse_frequencies()).map(|(plain, scaled)| plain / scaled).collect();
        gguf.floats("rope_freqs.weight", &[factors.len()], &factors);
    }
    for (name, cols, values) in tensors {
        let rows = values.len() / cols.unwrap_or(1);
        gguf.floats(&name, &[Some(rows), cols].into_iter().flatten().collect::<Vec<_>>(), &values);
    }
    gguf
}
