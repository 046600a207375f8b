#!/usr/bin/env python3
"""Makes tiny random checkpoints with the numbers that transformers computes for them: scripts/make-fixture.py FOLDER NAME...

A NAME is one of the keys of MODELS below, and becomes FOLDER/NAME. Needs torch, transformers and safetensors. The tokenizer is that of
tests/fixtures/llama; the files have the form that tests/fixtures/README.md describes.
"""

import json
import math
import pathlib
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

COMMON = dict(
    vocab_size=400, hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)
LLAMA = "model.layers.{layer}."
GATED = {
    "q_proj": LLAMA + "self_attn.q_proj", "k_proj": LLAMA + "self_attn.k_proj", "v_proj": LLAMA + "self_attn.v_proj",
    "out_proj": LLAMA + "self_attn.o_proj", "fc_in": LLAMA + "mlp.gate_proj", "fc_up": LLAMA + "mlp.up_proj",
    "fc_out": LLAMA + "mlp.down_proj",
}
PLAIN = {**GATED, "fc_in": LLAMA + "mlp.c_fc", "fc_out": LLAMA + "mlp.c_proj"}
del PLAIN["fc_up"]
# Smaller ones, which keep a folder below 300 KB.
SMALL = dict(
    COMMON, hidden_size=32, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
)
HEADS, GROUPS, HEAD = SMALL["num_attention_heads"], SMALL["num_key_value_heads"], SMALL["head_dim"]


def rows(start, stop):
    """Some rows of a tensor that several matrices share, one after the other."""
    return torch.arange(start, stop)


def of_groups(part, groups, per_group=None):
    """Rows of queries, keys or values where each key/value head follows its query heads."""
    queries = per_group or HEADS // groups
    first, count = {"q": (0, queries), "k": (queries, 1), "v": (queries + 1, 1)}[part]
    stride = (queries + 2) * HEAD
    return torch.cat([rows(g * stride + first * HEAD, g * stride + (first + count) * HEAD) for g in range(groups)])


INNER = SMALL["intermediate_size"]
GATE_UP = {
    **GATED, "fc_in": (LLAMA + "mlp.gate_up_proj", rows(0, INNER)), "fc_up": (LLAMA + "mlp.gate_up_proj", rows(INNER, 2 * INNER)),
}
UNGATED = {**GATED, "fc_in": LLAMA + "mlp.up_proj", "fc_out": LLAMA + "mlp.down_proj"}
del UNGATED["fc_up"]
BLOCKS = "transformer.h.{layer}."


def experts(path):
    gate_up = LLAMA + path + ".experts.gate_up_proj"
    return {**GATED, "fc_in": (gate_up, rows(0, 32)), "fc_up": (gate_up, rows(32, 64)), "fc_out": LLAMA + path + ".experts.down_proj"}


def by_group(fused, groups, out_proj, fc_in, fc_out):
    parts = {kind: (BLOCKS + fused, of_groups(kind[0], groups)) for kind in ["q_proj", "k_proj", "v_proj"]}
    return {**parts, "out_proj": BLOCKS + out_proj, "fc_in": BLOCKS + fc_in, "fc_out": BLOCKS + fc_out}


def falcon(groups):
    return by_group("self_attention.query_key_value", groups, "self_attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h")


BLOOM = falcon(HEADS)
BIGCODE = by_group("attn.c_attn", 1, "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
BIGCODE_HEADS = by_group("attn.c_attn", HEADS, "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
MPT = {
    **{kind: ("transformer.blocks.{layer}.attn.Wqkv", rows(32 * i, 32 * (i + 1))) for i, kind in enumerate(["q_proj", "k_proj", "v_proj"])},
    "out_proj": "transformer.blocks.{layer}.attn.out_proj", "fc_in": "transformer.blocks.{layer}.ffn.up_proj",
    "fc_out": "transformer.blocks.{layer}.ffn.down_proj",
}
NEO = {
    **{kind: BLOCKS + "attn.attention." + kind for kind in ["q_proj", "k_proj", "v_proj", "out_proj"]},
    "fc_in": BLOCKS + "mlp.c_fc", "fc_out": BLOCKS + "mlp.c_proj",
}
# What families with names of their own for sizes are made with.
TOKENS = {key: COMMON[key] for key in ["vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"]}
GPT = dict(n_embd=32, n_layer=3, n_head=4, n_positions=128, n_inner=64)
FALCON = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, ffn_hidden_size=64, max_position_embeddings=128)
NEOX = {
    "out_proj": "gpt_neox.layers.{layer}.attention.dense", "fc_in": "gpt_neox.layers.{layer}.mlp.dense_h_to_4h",
    "fc_out": "gpt_neox.layers.{layer}.mlp.dense_4h_to_h",
}


def rope(**scaling):
    return {"rope_parameters": {"rope_theta": 10000.0, **scaling}}


def internlm2(config, tensors):
    """A llama's configuration and tensors as InternLM2 has them."""
    names = {
        "embed_tokens": "tok_embeddings", "lm_head": "output", "self_attn.o_proj": "attention.wo",
        "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "feed_forward.w1", "mlp.up_proj": "feed_forward.w3", "mlp.down_proj": "feed_forward.w2",
    }
    config.update(
        model_type="internlm2", architectures=["InternLM2ForCausalLM"], bias=False, rope_theta=10000.0, rope_scaling=None)
    for key in ["rope_parameters", "attention_bias", "mlp_bias"]:
        config.pop(key, None)
    renamed = {}
    for name, tensor in tensors.items():
        prefix, _, matrix = name.partition("self_attn.")
        if matrix in {"q_proj.weight", "k_proj.weight", "v_proj.weight"}:
            fused = renamed.setdefault(prefix + "attention.wqkv.weight", torch.empty((HEADS + 2 * GROUPS) * HEAD, tensor.shape[1]))
            fused[of_groups(matrix[0], GROUPS)] = tensor
            continue
        for old, new in names.items():
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed


MODELS = {
    "stablelm": ("stablelm", GATED, dict(use_qkv_bias=True, **rope(rope_type="default", partial_rotary_factor=0.5))),
    "stablelm_parallel": (
        "stablelm", GATED, dict(use_parallel_residual=True, **rope(rope_type="default", partial_rotary_factor=0.5))
    ),
    "olmo": ("olmo", GATED, rope(rope_type="default")),
    "starcoder2": ("starcoder2", PLAIN, dict(sliding_window=5, use_bias=True, **rope(rope_type="default"))),
    "llama_linear_rope": ("llama", GATED, rope(rope_type="linear", factor=4.0)),
    "llama_dynamic_rope": ("llama", GATED, rope(rope_type="dynamic", factor=2.0)),
    "llama_yarn_rope": (
        "llama", GATED, rope(rope_type="yarn", factor=8.0, original_max_position_embeddings=16)
    ),
    "gpt_neox_sequential": ("gpt_neox", NEOX, dict(
        use_parallel_residual=False, hidden_act="gelu", **rope(rope_type="default", partial_rotary_factor=0.5))),
    "qwen2_windowed": (
        "qwen2", GATED, dict(use_sliding_window=True, sliding_window=4, max_window_layers=1, **rope(rope_type="default"))
    ),
    "seed_oss": ("seed_oss", GATED, dict(SMALL, attention_bias=True, attention_out_bias=False, **rope(rope_type="default"))),
    "arcee": ("arcee", UNGATED, dict(SMALL, mlp_bias=True, **rope(rope_type="default"))),
    "helium": ("helium", GATED, dict(SMALL, **rope(rope_type="default"))),
    "olmo3": ("olmo3", GATED, dict(SMALL, num_hidden_layers=4, sliding_window=5, rope_parameters={
        "full_attention": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    })),
    "ministral": ("ministral", GATED, dict(
        SMALL, sliding_window=5, layer_types=["full_attention", "sliding_attention", "sliding_attention"],
        **rope(rope_type="default"))),
    "ministral3": ("ministral3", GATED, dict(SMALL, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64,
        "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1,
    })),
    "ernie4_5": ("ernie4_5", GATED, dict(SMALL, use_bias=True, **rope(rope_type="default"))),
    "hunyuan_v1_dense": ("hunyuan_v1_dense", GATED, dict(SMALL, **rope(rope_type="dynamic", factor=1.0, alpha=50.0))),
    "exaone4": ("exaone4", GATED, dict(SMALL, num_hidden_layers=4, sliding_window=5, **rope(rope_type="default"))),
    "glm": ("glm", GATE_UP, dict(SMALL, attention_bias=True, **rope(rope_type="default", partial_rotary_factor=0.5))),
    "glm4": ("glm4", GATE_UP, dict(SMALL, attention_bias=True, **rope(rope_type="default", partial_rotary_factor=0.5))),
    "nemotron": ("nemotron", UNGATED, dict(SMALL, **rope(rope_type="default", partial_rotary_factor=0.5))),
    "granite": ("granite", GATED, dict(
        SMALL, embedding_multiplier=6.0, logits_scaling=4.0, residual_multiplier=0.25, attention_multiplier=0.125,
        **rope(rope_type="default"))),
    "smollm3": ("smollm3", GATED, dict(SMALL, num_hidden_layers=4, **rope(rope_type="default"))),
    "cohere": ("cohere", GATED, dict(SMALL, logit_scale=0.25, **rope(rope_type="default"))),
    "olmoe": ("olmoe", experts("mlp"), dict(
        SMALL, intermediate_size=32, num_experts=3, num_experts_per_tok=2, **rope(rope_type="default"))),
    "qwen2_moe": ("qwen2_moe", experts("mlp"), dict(
        SMALL, tie_word_embeddings=True, intermediate_size=32, moe_intermediate_size=32, shared_expert_intermediate_size=48,
        num_experts=3, num_experts_per_tok=2, **rope(rope_type="default"))),
    "granitemoe": ("granitemoe", experts("block_sparse_moe"), dict(
        SMALL, intermediate_size=32, num_local_experts=3, embedding_multiplier=6.0, logits_scaling=4.0, residual_multiplier=0.25,
        attention_multiplier=0.125, **rope(rope_type="default"))),
    "gpt_bigcode": ("gpt_bigcode", BIGCODE, dict(GPT)),
    "gpt_bigcode_heads": ("gpt_bigcode", BIGCODE_HEADS, dict(GPT, multi_query=False)),
    "gpt_neo": ("gpt_neo", NEO, dict(
        hidden_size=32, num_layers=3, num_heads=4, max_position_embeddings=128, intermediate_size=64, window_size=4,
        attention_types=[[["global", "local", "local"], 1]])),
    "falcon": ("falcon", falcon(1), dict(FALCON)),
    "falcon_40b": ("falcon", falcon(2), dict(FALCON, new_decoder_architecture=True, num_kv_heads=2)),
    "falcon_11b": ("falcon", falcon(2), dict(
        FALCON, new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1)),
    "bloom": ("bloom", BLOOM, dict(hidden_size=32, n_layer=3, n_head=4)),
    # Six heads are not a power of two.
    "bloom_six_heads": (
        "bloom", {kind: BLOOM[kind] for kind in ["out_proj", "fc_in", "fc_out"]}, dict(hidden_size=24, n_layer=3, n_head=6)),
    "mpt": ("mpt", MPT, dict(
        d_model=32, n_heads=4, n_layers=3, max_seq_len=128, tie_word_embeddings=True, use_cache=True)),
    "exaone": ("exaone", GATED, dict(SMALL, **rope(rope_type="default"))),
    # transformers has no class for it: a llama's tensors in its order and under its names.
    "internlm2": ("llama", GATED, dict(SMALL, **rope(rope_type="default")), internlm2),
    "cohere2": ("cohere2", GATED, dict(SMALL, num_hidden_layers=4, logit_scale=0.25, sliding_window=5, **rope(rope_type="default"))),
}

torch.set_num_threads(1)

ROWS = [
    ("The mother tongue of the singer is", " French"),
    ("Berlin is the capital of", " Germany"),
    ("The book was written by a", " writer"),
    ("Is it true or false? The answer is", " true"),
]
EDITS = [
    [(2, "fc_in", 0.1)],
    [(1, "fc_out", 0.25)],
    [(0, "out_proj", 0.5)],
    [(2, "q_proj", 0.1)],
    [(1, "v_proj", 0.25)],
    [(2, "fc_in", 0.2), (0, "fc_out", 0.5), (1, "out_proj", 0.3)],
    [(0, "k_proj", 0.5)],
    [(1, "fc_up", 0.2)],
]


def reduced(weight, rho):
    rank = math.floor(rho * min(weight.shape) + 1e-9)
    u, s, v = torch.linalg.svd(weight.double(), full_matrices=False)
    return ((u[:, :rank] * s[:rank]) @ v[:rank]).to(weight.dtype)


def reduce(model, where, layer, rho):
    """Reduces a matrix in place: of a module, a part of one's rows, or each expert's of a stack."""
    path, part = where if isinstance(where, tuple) else (where, None)
    *owner, name = path.format(layer=layer).split(".")
    target = getattr(model.get_submodule(".".join(owner)), name)
    weight = target.weight if isinstance(target, torch.nn.Module) else target
    for matrix in weight if weight.dim() == 3 else [weight]:
        chosen = slice(None) if part is None else part
        matrix[chosen] = reduced(matrix[chosen], rho)


def score(model, tokenizer):
    rows = []
    for prompt, answer in ROWS:
        ids, answer_ids = tokenizer(prompt).input_ids, tokenizer(answer).input_ids
        both = torch.tensor([ids + answer_ids])
        with torch.no_grad():
            logprobs = torch.log_softmax(model(both).logits[0].double(), -1)
            greedy = list(ids)
            for _ in range(5):
                greedy.append(int(model(torch.tensor([greedy])).logits[0, -1].argmax()))
                if greedy[-1] == COMMON["eos_token_id"]:
                    break
        of = lambda start, end: [logprobs[i - 1, both[0, i]].item() for i in range(start, end)]
        rows.append({
            "prompt": prompt, "answer": answer, "prompt_ids": ids, "answer_ids": answer_ids,
            "answer_logprobs": of(len(ids), both.shape[1]), "prompt_logprob": sum(of(1, len(ids))),
            "greedy": greedy[len(ids):],
        })
    return rows


def main():
    for name in sys.argv[2:]:
        make(name, pathlib.Path(sys.argv[1]) / name)


def make(name, out):
    model_type, names, extra, *convert = MODELS[name]
    fixtures = pathlib.Path(__file__).parent.parent / "tests/fixtures"
    torch.manual_seed(sum(map(ord, name)))
    # Families with names of their own for sizes say all of them.
    common = dict(TOKENS if model_type in {"gpt_bigcode", "mpt", "falcon", "bloom", "gpt_neo"} else COMMON)
    if model_type == "gpt_neox":
        del common["num_key_value_heads"]
    config = AutoConfig.for_model(model_type, **{"tie_word_embeddings": False, **common, **extra})
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(1 + 0.2 * noise if parameter.dim() == 1 and parameter.mean() > 0.5 else 0.3 * noise)
    model.save_pretrained(out)
    for convert in convert:
        config = json.loads((out / "config.json").read_text())
        tensors = convert(config, load_file(out / "model.safetensors"))
        save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
        (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for file in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(fixtures / "llama" / file, out / file)
    (out / "generation_config.json").unlink(missing_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(fixtures / "llama")
    import transformers

    golden = {
        "architecture": name, "transformers": transformers.__version__,
        "note": "float32 weights; log-probabilities in nats", "base": score(model, tokenizer), "reduced": [],
    }
    original = {key: value.clone() for key, value in model.state_dict().items()}
    for edits in EDITS:
        if any(matrix not in names for _, matrix, _ in edits):
            continue
        with torch.no_grad():
            for layer, matrix, rho in edits:
                reduce(model, names[matrix], layer, rho)
        interventions = [{"layer": layer, "matrix": matrix, "rho": rho} for layer, matrix, rho in edits]
        golden["reduced"].append({"interventions": interventions, "scores": score(model, tokenizer)})
        model.load_state_dict(original)
    (out / "golden.json").write_text(json.dumps(golden))
    assert len(load_file(out / "model.safetensors")) > 10


if __name__ == "__main__":
    main()
