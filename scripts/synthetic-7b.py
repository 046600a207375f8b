#!/usr/bin/env python3
"""Makes a llama with random bf16 weights: python scripts/synthetic-7b.py FOLDER [LAYERS] [--shape 7b|135m|tiny]

The shapes are those of a 7B model (13 GB on disk) unless others are asked for. Its answers mean nothing; it shows what
memory and time a model of that size takes. Needs numpy. The tokenizer is that of tests/fixtures/llama, or of the folder
--tokenizer.
"""

import argparse
import json
import pathlib
import shutil
import struct

import numpy as np

# Hidden size, inner size, heads, key/value heads, vocabulary, layers.
SHAPES = {
    "7b": (4096, 11008, 32, 32, 32000, 32),
    "135m": (576, 1536, 9, 3, 49152, 30),
    "tiny": (64, 96, 4, 2, 2000, 6),
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("layers", type=int, nargs="?")
    arguments.add_argument("--shape", choices=SHAPES, default="7b")
    fixture = pathlib.Path(__file__).parent.parent / "tests/fixtures/llama"
    arguments.add_argument("--tokenizer", type=pathlib.Path, default=fixture)
    arguments = arguments.parse_args()
    folder, fixture = arguments.folder, arguments.tokenizer
    hidden, inner, heads, kv_heads, vocabulary, layers = SHAPES[arguments.shape]
    layers = arguments.layers or layers
    kv_width = hidden // heads * kv_heads
    folder.mkdir(parents=True)
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(fixture / name, folder / name)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "torch_dtype": "bfloat16",
        "hidden_size": hidden, "intermediate_size": inner, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "num_hidden_layers": layers, "vocab_size": vocabulary, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))

    random = np.random.default_rng(0)
    # The upper half of a float32 is a bf16: one block of random numbers, taken from another place for each tensor.
    block = (random.standard_normal(1 << 24, dtype=np.float32) * 0.02).view(np.uint32) >> 16
    block = block.astype(np.uint16)

    def weight(rows, cols):
        count, start = rows * cols, int(random.integers(len(block)))
        return np.resize(np.roll(block, start), count)

    ones = np.full(hidden, 0x3F80, dtype=np.uint16)
    index = {"metadata": {"total_size": 0}, "weight_map": {}}

    def shard(name, tensors):
        header, offset = {"__metadata__": {"format": "pt"}}, 0
        for tensor, shape in tensors.items():
            end = offset + 2 * int(np.prod(shape))
            header[tensor] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
            index["weight_map"][tensor] = name
            offset = end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(folder / name, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for shape in tensors.values():
                file.write((ones if len(shape) == 1 else weight(*shape)).tobytes())
        index["metadata"]["total_size"] += offset

    names = [f"model-{number + 1:05}-of-{layers + 1:05}.safetensors" for number in range(layers + 1)]
    shard(names[0], {
        "model.embed_tokens.weight": [vocabulary, hidden], "model.norm.weight": [hidden],
        "lm_head.weight": [vocabulary, hidden],
    })
    for layer in range(layers):
        at = f"model.layers.{layer}."
        width = {"q": hidden, "k": kv_width, "v": kv_width, "o": hidden}
        square = {f"{at}self_attn.{name}_proj.weight": [width[name], hidden] for name in "qkvo"}
        wide = {f"{at}mlp.{name}_proj.weight": [inner, hidden] for name in ["gate", "up"]}
        norms = {f"{at}{name}_layernorm.weight": [hidden] for name in ["input", "post_attention"]}
        shard(names[layer + 1], {**square, **wide, f"{at}mlp.down_proj.weight": [hidden, inner], **norms})
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    main()
