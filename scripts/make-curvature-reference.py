#!/usr/bin/env python3
"""Right values for `whitened` and `kfac` edits: scripts/make-curvature-reference.py FOLDER NAME...

For each fixture NAME of FOLDER (tests/fixtures), PyTorch takes the inputs of some matrices and the loss's gradients by their outputs on
a few token sequences, and numpy in float64 finds the nearest matrix of a rank: with C and G the second moments, each over its mean
diagonal and with 0.01 I added, L L' = C and M M' = G, it is inv(M') [M' W L]_r inv(L). Printed is JSON: the sequences, and of each edit
the norm of the result and its product with the vector of cos(j). Needs torch, transformers and numpy.
"""

import json
import pathlib
import sys

import numpy
import torch
from transformers import AutoModelForCausalLM

DAMPING = 0.01
TOKENS = [[(7 * i * i + 13 * i + 31 * s) % 390 + 3 for i in range(48)] for s in range(3)]
LLAMA = {"v_proj": "self_attn.v_proj", "out_proj": "self_attn.o_proj", "fc_in": "mlp.gate_proj", "fc_out": "mlp.down_proj"}
GPT2 = {"out_proj": "attn.c_proj", "fc_in": "mlp.c_fc", "fc_out": "mlp.c_proj"}
EDITS = [(0, "fc_out"), (1, "fc_in"), (1, "out_proj"), (2, "v_proj"), (2, "fc_out")]
RHOS = [0.1, 0.4]


def root(rows, width):
    moments = rows.T @ rows
    moments /= numpy.trace(moments) / width
    return numpy.linalg.cholesky(moments + DAMPING * numpy.eye(width))


def nearest(weight, inputs, gradients, rank):
    right = root(inputs, weight.shape[1])
    left = numpy.eye(len(weight)) if gradients is None else root(gradients, len(weight))
    u, s, v = numpy.linalg.svd(left.T @ weight @ right, full_matrices=False)
    kept = (u[:, :rank] * s[:rank]) @ v[:rank]
    return numpy.linalg.solve(left.T, kept) @ numpy.linalg.inv(right)


def main():
    folder, *names = sys.argv[1:]
    models = {}
    for name in names:
        model = AutoModelForCausalLM.from_pretrained(pathlib.Path(folder) / name, dtype=torch.float32, attn_implementation="eager")
        paths, blocks = (GPT2, model.transformer.h) if name == "gpt2" else (LLAMA, model.model.layers)
        modules = {(layer, kind): blocks[layer].get_submodule(paths[kind]) for layer, kind in EDITS if kind in paths}
        inputs, gradients = {at: [] for at in modules}, {at: [] for at in modules}
        for at, module in modules.items():
            module.register_forward_hook(lambda _, given, __, at=at: inputs[at].append(given[0].detach()[0]))
            module.register_full_backward_hook(lambda _, __, by, at=at: gradients[at].append(by[0].detach()[0]))
        for tokens in TOKENS:
            ids = torch.tensor([tokens])
            logits = model(ids).logits[0, :-1]
            torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").backward()
        found = {}
        for (layer, kind), module in modules.items():
            weight = module.weight.detach().double().numpy()
            weight = weight.T if name == "gpt2" else weight
            seen = [torch.cat(rows[layer, kind]).double().numpy() for rows in (inputs, gradients)]
            for rho in RHOS:
                rank = int(rho * min(weight.shape) + 1e-6)
                for method, by in (("whitened", None), ("kfac", seen[1])):
                    result = nearest(weight, seen[0], by, rank)
                    product = result @ numpy.cos(numpy.arange(weight.shape[1]))
                    found[f"{layer}.{kind}:{method}={rho}"] = {"norm": numpy.linalg.norm(result), "product": product.tolist()}
        models[name] = found
    short = lambda value: float(f"{value:.7g}")
    for edit in (edit for found in models.values() for edit in found.values()):
        edit.update(norm=short(edit["norm"]), product=[short(value) for value in edit["product"]])
    print(json.dumps({"tokens": TOKENS, "models": models}, separators=(",", ":")))


main()
