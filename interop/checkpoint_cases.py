#!/usr/bin/env python3
"""Variants of the tiny fixtures, and what transformers 5 computes for each.

    python3 interop/checkpoint_cases.py            writes tests/fixtures/checkpoint_cases.json
    python3 interop/checkpoint_cases.py NAME...    prints those variants alone

Needs torch, transformers 5 and safetensors. A variant is a fixture, keys of config.json to set (null takes one out), and
steps on its tensors; crates/laser/tests/checkpoint_cases.rs makes the same folders and compares. `expected` has a
log-probability for each of ROWS, or is null where transformers refuses the folder.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForMaskedLM, AutoTokenizer

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures"
OUT = FIXTURES / "checkpoint_cases.json"
ROWS = [("The capital of France is", " Paris"), ("Two times three is", " six")]


def variants():
    """(name, fixture, config changes, steps on tensors)"""
    yes = []
    add = lambda name, base, config=None, *steps: yes.append((name, base, config or {}, list(steps)))
    # Names without the base model's prefix, or with one more.
    prefixes = {
        "llama": "model.", "mistral": "model.", "qwen2": "model.", "qwen3": "model.", "gemma": "model.", "gemma2": "model.",
        "gemma3_text": "model.", "phi": "model.", "phi3": "model.", "olmo2": "model.", "starcoder2": "model.",
        "stablelm": "model.", "gpt2": "transformer.", "gptj": "transformer.", "gpt_neox": "gpt_neox.", "opt": "model.",
        "mixtral": "model.", "qwen3_moe": "model.", "bert": "bert.", "roberta": "roberta.",
        "arcee": "model.", "bloom": "transformer.", "cohere": "model.", "cohere2": "model.", "ernie4_5": "model.",
        "exaone4": "model.", "falcon": "transformer.", "glm": "model.", "glm4": "model.", "gpt_bigcode": "transformer.",
        "gpt_neo": "transformer.", "granite": "model.", "granitemoe": "model.", "helium": "model.",
        "hunyuan_v1_dense": "model.", "ministral": "model.", "ministral3": "model.", "mpt": "transformer.",
        "nemotron": "model.", "olmo3": "model.", "olmoe": "model.", "seed_oss": "model.", "smollm3": "model.",
    }
    for base, prefix in prefixes.items():
        add(f"no_prefix_{base}", base, None, {"strip": prefix})
    add("some_without_prefix", "llama", None, {"rename": ["model.layers.1.", "layers.1."]})
    # Base classes and others.
    add("base_class_qwen2", "qwen2", {"architectures": ["Qwen2Model"]}, {"strip": "model."})
    add("base_class_gpt2", "gpt2", {"architectures": ["GPT2Model"]}, {"strip": "transformer."})
    add("no_architectures", "llama", {"architectures": None})
    add("other_class", "llama", {"architectures": ["LlamaForSequenceClassification"]})
    # Heads.
    add("own_head", "qwen2", None, {"head": 7})
    add("own_head_of_gpt2", "gpt2", None, {"head": 7})
    add("own_head_of_gemma", "gemma", None, {"head": 7})
    add("equal_head", "qwen2", None, {"head": 0})
    add("head_in_place_of_embedding", "qwen2", None, {"rename": ["model.embed_tokens.weight", "lm_head.weight"]})
    add("tied_says_llama", "llama", {"tie_word_embeddings": True})
    # Buffers, and weights that nothing reads.
    buffer = lambda name, shape: {"add": [name, shape]}
    add("rotary_buffers", "llama", None, buffer("model.layers.0.self_attn.rotary_emb.inv_freq", [6]),
        buffer("model.layers.1.self_attn.rotary_emb.cos_cached", [1, 1, 128, 12]), buffer("model.rotary_emb.inv_freq", [6]))
    add("attention_buffers", "gpt2", None, buffer("transformer.h.0.attn.bias", [1, 1, 128, 128]),
        buffer("transformer.h.0.attn.masked_bias", []))
    add("neox_buffers", "gpt_neox", None, buffer("gpt_neox.layers.0.attention.bias", [1, 1, 128, 128]),
        buffer("gpt_neox.layers.0.attention.masked_bias", []),
        buffer("gpt_neox.layers.0.attention.rotary_emb.inv_freq", [3]))
    add("gptj_buffers", "gptj", None, buffer("transformer.h.0.attn.embed_positions", [128, 12]))
    add("unread_weights", "llama", None, buffer("model.layers.0.self_attn.q_proj.bias", [48]), buffer("mtp.fc.weight", [4, 4]))
    # Types.
    add("float64", "llama", None, {"dtype": "F64"})
    add("float64_tied", "gpt2", None, {"dtype": "F64"})
    # Rotary positions.
    theta = {"rope_type": "default", "rope_theta": 500000.0}
    for base in ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi", "phi3", "olmo2", "starcoder2", "stablelm",
                 "mixtral"]:
        add(f"theta_twice_{base}", base, {"rope_parameters": theta, "rope_theta": 10000.0, "rope_scaling": None})
    add("theta_twice_neox", "gpt_neox", {"rope_parameters": theta, "rotary_emb_base": 10000})
    add("theta_in_scaling", "llama", {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0, "rope_theta": 5e5}})
    add("theta_in_scaling_alone", "llama", {"rope_theta": None, "rope_scaling": {"rope_type": "default", "rope_theta": 5e5}})
    add("scaling_and_parameters", "llama", {
        "rope_theta": 20000.0, "rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": theta})
    add("null_scaling_and_parameters", "llama", {"rope_scaling": None, "rope_parameters": {**theta, "rope_type": "linear", "factor": 4.0}})
    add("both_kinds", "llama", {"rope_scaling": {"type": "dynamic", "rope_type": "linear", "factor": 4.0}})
    add("type_alone", "llama", {"rope_scaling": {"type": "linear", "factor": 4.0}})
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    add("llama3_without_original", "llama", {"rope_scaling": llama3})
    add("llama3_original_at_the_top", "llama", {"rope_scaling": llama3, "original_max_position_embeddings": 16})
    add("llama3_original_twice", "llama", {
        "rope_scaling": {**llama3, "original_max_position_embeddings": 64}, "original_max_position_embeddings": 16})
    add("yarn_without_original", "llama", {"rope_scaling": {"type": "yarn", "factor": 4.0}})
    for base in ["llama", "mistral", "qwen2", "gemma", "olmo2", "starcoder2", "phi", "phi3", "stablelm", "gpt_neox"]:
        add(f"partial_{base}", base, {"partial_rotary_factor": 1 / 3 if base != "phi" else 0.5})
    add("partial_in_parameters", "llama", {"rope_parameters": {**theta, "partial_rotary_factor": 0.5}, "rope_theta": None})
    add("partial_twice_phi3", "phi3", {
        "rope_parameters": {**theta, "partial_rotary_factor": 0.5}, "partial_rotary_factor": 1 / 3, "rope_theta": None})
    add("partial_and_scaled", "llama", {"partial_rotary_factor": 0.5, "rope_scaling": {"type": "linear", "factor": 4.0}})
    by_type = {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5},
               "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0}}
    clear = {"rope_theta": None, "rope_local_base_freq": None, "rope_scaling": None, "rope_parameters": None}
    add("gemma3_by_type", "gemma3_text", {**clear, "rope_parameters": by_type})
    add("gemma3_by_type_and_top", "gemma3_text", {
        **clear, "rope_parameters": by_type, "rope_theta": 7e5, "rope_local_base_freq": 9e3})
    add("gemma3_old_keys", "gemma3_text", {
        **clear, "rope_theta": 7e5, "rope_local_base_freq": 9e3, "rope_scaling": {"rope_type": "linear", "factor": 8.0}})
    add("gemma3_scaling_and_type", "gemma3_text", {
        **clear, "rope_parameters": by_type, "rope_scaling": {"rope_type": "linear", "factor": 8.0}})
    add("gemma3_flat", "gemma3_text", {**clear, "rope_parameters": theta, "rope_theta": 7e5})
    add("qwen2_by_type", "qwen2", {**clear, "rope_parameters": by_type})
    add("mrope", "qwen2", {"rope_scaling": {"type": "default", "mrope_section": [2, 2, 2]}})
    # Windows.
    slide = ["sliding_attention", "full_attention", "full_attention"]
    add("layer_types_mistral", "mistral", {"layer_types": slide, "sliding_window": 3})
    add("layer_types_llama", "llama", {"layer_types": slide, "sliding_window": 3})
    add("layer_types_phi3", "phi3", {"layer_types": slide, "sliding_window": 3})
    add("layer_types_starcoder2", "starcoder2", {"layer_types": slide, "sliding_window": 3})
    add("layer_types_qwen3_moe", "qwen3_moe", {"layer_types": slide, "sliding_window": 3, "use_sliding_window": True})
    add("layer_types_qwen2", "qwen2", {"layer_types": slide, "sliding_window": 3, "use_sliding_window": True})
    add("layer_types_qwen2_unused", "qwen2", {"layer_types": slide, "sliding_window": 3, "use_sliding_window": False})
    add("layer_types_gemma2", "gemma2", {"layer_types": slide, "sliding_window": 3})
    add("null_window_qwen2", "qwen2", {"layer_types": None, "sliding_window": None, "use_sliding_window": True, "max_window_layers": 0})
    add("null_window_mistral", "mistral", {"sliding_window": "null"})
    add("pattern_gemma3", "gemma3_text", {"layer_types": None, "sliding_window_pattern": 2, "sliding_window": 3})
    add("types_and_pattern_gemma3", "gemma3_text", {"layer_types": slide, "sliding_window_pattern": 2, "sliding_window": 3})
    add("old_pattern_gemma3", "gemma3_text", {"layer_types": None, "_sliding_window_pattern": 2, "sliding_window": 3})
    # Activations, sizes, types.
    add("gemma_gelu", "gemma", {"hidden_act": "gelu", "hidden_activation": None})
    add("gemma_two_acts", "gemma", {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu"})
    add("gemma2_two_acts", "gemma2", {"hidden_act": "silu", "hidden_activation": "gelu_pytorch_tanh"})
    add("gemma2_gelu", "gemma2", {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu"})
    add("mapped_names_gpt2", "gpt2", {
        "n_embd": None, "hidden_size": 48, "n_layer": None, "num_hidden_layers": 3, "n_head": None,
        "num_attention_heads": 4, "n_positions": None, "max_position_embeddings": 128})
    add("larger_vocabulary", "llama", {"vocab_size": 408})
    add("smaller_vocabulary", "llama", {"vocab_size": 392})
    add("null_kv_heads", "gpt_neox", {"num_key_value_heads": "null"})
    add("null_head_dim", "llama", {"head_dim": "null"})
    add("other_dtype", "llama", {"torch_dtype": "float64", "dtype": "float32"})
    # Multimodal checkpoints.
    for outer, base, names in [
        ("llava", "llama", "old"), ("llava", "llama", "new"), ("gemma3", "gemma3_text", "old"),
        ("gemma3", "gemma3_text", "new"), ("mistral3", "mistral", "old"), ("qwen2_5_vl", "qwen2", "new"),
        ("qwen2_5_vl", "qwen2", "plain"),
    ]:
        add(f"{outer}_{names}", base, {"wrap": outer}, {"text_model": names})
    return yes


VISION = {
    "llava": {"model_type": "clip_vision_model", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
              "num_attention_heads": 2, "image_size": 8, "patch_size": 4, "projection_dim": 16},
    "gemma3": {"model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
               "num_attention_heads": 2, "image_size": 8, "patch_size": 4},
    "mistral3": {"model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                 "num_attention_heads": 2, "head_dim": 8, "image_size": 8, "patch_size": 4},
    "qwen2_5_vl": {"model_type": "qwen2_5_vl", "hidden_size": 16, "intermediate_size": 16, "depth": 1, "num_heads": 2,
                   "out_hidden_size": 48, "patch_size": 4},
}


def changed_config(config, changes):
    """The keys set; None takes one out, "null" sets null; `wrap` makes the config that of a multimodal model's text model."""
    changes = dict(changes)
    outer = changes.pop("wrap", None)
    for key, value in changes.items():
        if value is None:
            config.pop(key, None)
        else:
            config[key] = None if value == "null" else value
    if outer:
        text = dict(config)
        classes = {"llava": "LlavaForConditionalGeneration", "gemma3": "Gemma3ForConditionalGeneration",
                   "mistral3": "Mistral3ForConditionalGeneration", "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration"}
        text.pop("architectures", None)
        if outer == "qwen2_5_vl":
            text["model_type"] = "qwen2_5_vl_text"
            text["rope_scaling"] = {"type": "mrope", "mrope_section": [2, 2, 2]}
        config = {"model_type": outer, "architectures": [classes[outer]], "text_config": text, "vision_config": VISION[outer],
                  "tie_word_embeddings": text.get("tie_word_embeddings", base_ties(outer))}
    return config


def base_ties(outer):
    return outer == "gemma3"


def pattern(shape, seed):
    """Numbers that the test makes as well: multiples of 1/64 from -1 to 1."""
    count = 1
    for size in shape:
        count *= size
    values = [((i * 37 + seed * 101) % 129 - 64) / 64 for i in range(count)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def embedding_of(tensors):
    names = [name for name in tensors if name.endswith(("embed_tokens.weight", "wte.weight"))]
    return names[0]


def changed_tensors(tensors, steps):
    for step in steps:
        ((kind, value),) = step.items()
        if kind == "strip":
            tensors = {name.removeprefix(value): tensor for name, tensor in tensors.items()}
        elif kind == "rename":
            old, new = value
            tensors = {new + name[len(old):] if name.startswith(old) else name: tensor for name, tensor in tensors.items()}
        elif kind == "add":
            name, shape = value
            tensors[name] = pattern(shape, 3)
        elif kind == "head":
            embedding = tensors[embedding_of(tensors)]
            tensors["lm_head.weight"] = embedding.clone() if value == 0 else 0.5 * pattern(list(embedding.shape), value)
        elif kind == "dtype":
            tensors = {name: tensor.double() for name, tensor in tensors.items()}
        elif kind == "text_model":
            tensors = {multimodal(name, value): tensor for name, tensor in tensors.items()}
            tensors["vision_tower.odd.weight"] = pattern([2, 2], 3)
        else:
            raise ValueError(kind)
    return tensors


def multimodal(name, names):
    if names == "plain":
        return name
    if names == "old":
        return "language_model." + name
    return name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name


def make(name, base, changes, steps, folder):
    config = json.loads((FIXTURES / base / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(changed_config(config, changes)))
    tensors = changed_tensors(load_file(FIXTURES / base / "model.safetensors"), steps)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    for file in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(FIXTURES / base / file, folder / file)


def ask(folder, base):
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / base)
    multi = "text_config" in json.loads((folder / "config.json").read_text())
    masked = base in ("bert", "roberta")
    kind = AutoModelForImageTextToText if multi else AutoModelForMaskedLM if masked else AutoModelForCausalLM
    model, info = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = [key for key in info["missing_keys"] if not any(part in key for part in ("vision", "visual", "projector"))]
    if missing:
        return None, f"missing {sorted(missing)[0]}"
    model.eval()
    values = []
    for prompt, answer in ROWS:
        ids, both = tokenizer(prompt).input_ids, tokenizer(prompt + answer).input_ids
        assert both[: len(ids)] == ids
        answer_ids = both[len(ids):]
        given = ids + [tokenizer.mask_token_id] * len(answer_ids) if masked else both
        with torch.no_grad():
            logprobs = torch.log_softmax(model(torch.tensor([given])).logits[0].double(), -1)
        shift = 0 if masked else 1
        values.append(sum(logprobs[i - shift, both[i]].item() for i in range(len(ids), len(both))))
    return [round(value, 5) for value in values], None


def main():
    transformers.logging.set_verbosity_error()
    wanted = sys.argv[1:]
    cases = []
    for name, base, changes, steps in variants():
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            make(name, base, changes, steps, folder)
            try:
                expected, why = ask(folder, base)
            except Exception as error:  # whatever transformers says, it does not open the folder
                expected, why = None, f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
        case = {"name": name, "fixture": base, "config": changed_keys(base, changes), "steps": steps, "expected": expected}
        print(name, expected, why or "", flush=True)
        cases.append(case)
    if not wanted:
        head = {"transformers": transformers.__version__, "rows": ROWS}
        lines = ",\n".join(json.dumps(case) for case in cases)
        OUT.write_text(json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n")


def changed_keys(base, changes):
    """What the test writes: the whole config.json where it is wrapped, else the keys that change."""
    if "wrap" in changes:
        config = json.loads((FIXTURES / base / "config.json").read_text())
        return {"whole": changed_config(config, changes)}
    return {"set": {key: None if value == "null" else value for key, value in changes.items() if value is not None},
            "remove": [key for key, value in changes.items() if value is None]}


if __name__ == "__main__":
    main()
