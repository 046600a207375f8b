//! A model of a few hundred weights, whose files an input damages.

use serde_json::{Value, json};

/// A tensor's name in Hugging Face's layout and in GGUF, and its shape.
pub(crate) type Tensor = (String, String, Vec<usize>);

const VOCABULARY: usize = 16;
const HIDDEN: usize = 8;
const INNER: usize = 12;
const LAYERS: usize = 2;

/// Its config.json.
pub(crate) fn config() -> Value {
    json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
        "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "num_key_value_heads": 1,
        "rms_norm_eps": 1e-6, "hidden_act": "silu", "max_position_embeddings": 32, "tie_word_embeddings": false,
    })
}

/// Its tensors.
pub(crate) fn tensors() -> Vec<Tensor> {
    let tensor = |hf: &str, gguf: &str, shape: &[usize]| (hf.to_owned(), gguf.to_owned(), shape.to_vec());
    let mut all = vec![
        tensor("model.embed_tokens.weight", "token_embd.weight", &[VOCABULARY, HIDDEN]),
        tensor("model.norm.weight", "output_norm.weight", &[HIDDEN]),
        tensor("lm_head.weight", "output.weight", &[VOCABULARY, HIDDEN]),
    ];
    for layer in 0..LAYERS {
        for (hf, gguf, shape) in [
            ("input_layernorm", "attn_norm", &[HIDDEN][..]),
            ("post_attention_layernorm", "ffn_norm", &[HIDDEN]),
            ("self_attn.q_proj", "attn_q", &[HIDDEN, HIDDEN]),
            ("self_attn.k_proj", "attn_k", &[HIDDEN / 2, HIDDEN]),
            ("self_attn.v_proj", "attn_v", &[HIDDEN / 2, HIDDEN]),
            ("self_attn.o_proj", "attn_output", &[HIDDEN, HIDDEN]),
            ("mlp.gate_proj", "ffn_gate", &[INNER, HIDDEN]),
            ("mlp.up_proj", "ffn_up", &[INNER, HIDDEN]),
            ("mlp.down_proj", "ffn_down", &[HIDDEN, INNER]),
        ] {
            let (hf, gguf) = (format!("model.layers.{layer}.{hf}.weight"), format!("blk.{layer}.{gguf}.weight"));
            all.push(tensor(&hf, &gguf, shape));
        }
    }
    all
}
