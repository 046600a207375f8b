#!/usr/bin/env python3
"""Makes a tiny random checkpoint with the numbers that transformers computes for it: python scripts/make-fixture.py NAME OUT

NAME is one of the keys of MODELS below. Needs torch, transformers and safetensors. The tokenizer is that of
tests/fixtures/llama; the files have the form that tests/fixtures/README.md describes.
"""

import json
import math
import pathlib
import shutil
import sys

import torch
from safetensors.torch import load_file
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
NEOX = {
    "out_proj": "gpt_neox.layers.{layer}.attention.dense", "fc_in": "gpt_neox.layers.{layer}.mlp.dense_h_to_4h",
    "fc_out": "gpt_neox.layers.{layer}.mlp.dense_4h_to_h",
}


def rope(**scaling):
    return {"rope_parameters": {"rope_theta": 10000.0, **scaling}}


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
}

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
]


def reduced(weight, rho):
    rank = math.floor(rho * min(weight.shape) + 1e-9)
    u, s, v = torch.linalg.svd(weight.double(), full_matrices=False)
    return ((u[:, :rank] * s[:rank]) @ v[:rank]).to(weight.dtype)


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
    name, out = sys.argv[1], pathlib.Path(sys.argv[2])
    model_type, names, extra = MODELS[name]
    fixtures = pathlib.Path(__file__).parent.parent / "tests/fixtures"
    torch.manual_seed(sum(map(ord, name)))
    common = dict(COMMON)
    if model_type == "gpt_neox":
        del common["num_key_value_heads"]
    config = AutoConfig.for_model(model_type, tie_word_embeddings=False, **common, **extra)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(1 + 0.2 * noise if parameter.dim() == 1 and parameter.mean() > 0.5 else 0.3 * noise)
    model.save_pretrained(out)
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
                module = model.get_submodule(names[matrix].format(layer=layer))
                module.weight.copy_(reduced(module.weight, rho))
        interventions = [{"layer": layer, "matrix": matrix, "rho": rho} for layer, matrix, rho in edits]
        golden["reduced"].append({"interventions": interventions, "scores": score(model, tokenizer)})
        model.load_state_dict(original)
    (out / "golden.json").write_text(json.dumps(golden))
    assert len(load_file(out / "model.safetensors")) > 10


if __name__ == "__main__":
    main()
