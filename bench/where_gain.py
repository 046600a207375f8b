#!/usr/bin/env python3
"""Which part of an edit's effect comes from which of the matrix's inputs: the commonest direction, the common ones, or the rare ones?

    python3 bench/where_gain.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf --text wikitext2-test.txt \\
        --task qa_wikidata_exact.yaml --task counterfact=counterfact.jsonl 9.fc_in:0.05 28.fc_out:0.01

An edit changes W into W + D. The inputs x of the matrix on --text have the second moments C, the mean of x x^T. With P the projection
on some of C's eigenvectors, W + D P makes the edit's change for that part of each input alone. Three parts are tried:
  first    the eigenvector of the largest eigenvalue, which is near the direction of the inputs' mean
  common   the next ones, until together they hold 90 % of the inputs' energy (the trace of C)
  rare     all others
The calibration reads tokens that the perplexity does not. Accuracy is on --limit examples of each task; perplexity of
--text-tokens tokens. Prints a table. Needs torch, transformers, gguf and `pip install ./python`.
"""

import argparse
import os
import pathlib

import laser_rank
import numpy
import torch
import transformers

MODULES = {
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "out_proj": "self_attn.o_proj",
    "fc_in": "mlp.gate_proj",
    "fc_up": "mlp.up_proj",
    "fc_out": "mlp.down_proj",
}


def parsed():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--gguf", required=True, type=pathlib.Path, help="a model of the llama architecture")
    arguments.add_argument("--text", required=True, type=pathlib.Path)
    arguments.add_argument("--task", required=True, action="append", help="TASK or TASK=DATA, as laser takes it")
    arguments.add_argument("--limit", type=int, default=500, help="examples of each task [500]")
    arguments.add_argument("--text-tokens", type=int, default=4096, help="[4096]")
    arguments.add_argument("edits", nargs="+", help="such as 9.fc_in:0.05")
    return arguments.parse_args()


def unquantised(model):
    """The same values in a model that transformers can save: it refuses to save one that comes from GGUF."""
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict())
    return plain.eval()


def module_of(model, edit):
    layer, matrix = edit.split(":")[0].split(".")
    return model.get_submodule(f"model.layers.{layer}.{MODULES[matrix]}")


def second_moments(model, tokens, modules):
    """For each module the mean of x x^T over the tokens, in windows of 512, in f64."""
    totals = {name: torch.zeros(module.in_features, module.in_features, dtype=torch.float64) for name, module in modules.items()}

    def note(name):
        def add(_, inputs):
            rows = inputs[0].flatten(0, -2).double()
            totals[name].add_(rows.T @ rows)

        return add

    hooks = [module.register_forward_pre_hook(note(name)) for name, module in modules.items()]
    with torch.no_grad():
        for window in tokens.split(512):
            model(window[None])
    for hook in hooks:
        hook.remove()
    return {name: total / len(tokens) for name, total in totals.items()}


def projections(moments):
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(moments))
    share = (values.clamp(min=0).cumsum(0) / values.clamp(min=0).sum()).numpy()
    held = 1 + int(numpy.searchsorted(share, 0.9))
    ranges = {"first": (0, 1), "common": (1, held), "rare": (held, len(values))}
    for part, (start, end) in ranges.items():
        kept = vectors[:, start:end]
        yield part, end - start, (kept @ kept.T).float()
    print(f"  the first direction holds {share[0]:.0%} of the inputs' energy, {held} of {len(values)} hold 90 %", flush=True)


def measured(model, tokenizer, arguments):
    """Accuracy of each task in per cent, and perplexity."""
    session = laser_rank.from_torch(model, tokenizer)
    row = [100 * session.evaluate(task, limit=arguments.limit).accuracy for task in arguments.task]
    text = session.evaluate(text=str(arguments.text), text_tokens=arguments.text_tokens)
    return row + [text.document["text"]["perplexity"]]


def main():
    arguments = parsed()
    where = {"pretrained_model_name_or_path": arguments.gguf.parent, "gguf_file": arguments.gguf.name}
    model = unquantised(transformers.AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32))
    tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
    text = arguments.text.read_text(encoding="utf-8")
    tokens = tokenizer(text, return_tensors="pt").input_ids[0]
    tokens = tokens[arguments.text_tokens :][:8192]

    names = [os.path.basename(task.split("=")[0]).removesuffix(".yaml") for task in arguments.task]
    rows = [["unedited", "", "", *measured(model, tokenizer, arguments)]]
    modules = {edit: module_of(model, edit) for edit in arguments.edits}
    moments = second_moments(model, tokens, modules)
    for edit, module in modules.items():
        print(edit, flush=True)
        before = module.weight.detach().clone()
        projected = list(projections(moments[edit]))
        laser_rank.apply_to(model, edit)
        change = module.weight.detach() - before
        for part, directions, projection in [("whole", module.in_features, None), *projected]:
            with torch.no_grad():
                module.weight.copy_(before + (change if projection is None else change @ projection))
            rows.append([edit, part, directions, *measured(model, tokenizer, arguments)])
            print("  ", *rows[-1][1:], flush=True)
        with torch.no_grad():
            module.weight.copy_(before)

    print(f"\n| edit | part | directions | {' | '.join(names)} | perplexity |")
    print("| --- " * (4 + len(names)) + "|")
    for edit, part, directions, *accuracies, perplexity in rows:
        cells = [f"{accuracy:.1f}" for accuracy in accuracies]
        print(f"| {edit} | {part} | {directions} | {' | '.join(cells)} | {perplexity:.2f} |")


main()
