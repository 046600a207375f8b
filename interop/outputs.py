#!/usr/bin/env python3
"""What `laser apply` writes, opened by transformers, PEFT, gguf-py and llama.cpp, against laser's own numbers.

    interop/outputs.sh                          # makes a virtual environment and runs this
    python3 interop/outputs.py --laser target/release/laser [--model SmolLM2.gguf] [--only transformers,peft,gguf]

Needs what outputs-requirements.txt names: torch, transformers, accelerate, peft, gguf, xllamacpp. Every line that is printed is a
check that held; the first one that does not ends the run with an exception.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests/fixtures"
PROMPTS = ["Berlin is", "The book was written by", "One two three", "French", "A", "What is it?", "red, green",
           "He said that", "The writer", "in the year"]
TOLERANCE = 1e-4


def edits(family):
    if family.startswith("smollm2"):
        # A real model is broken by edits of its first layers, and what is broken multiplies rounding.
        return ["28.q_proj:0.1", "28.v_proj:rank=2", "27.out_proj:0.1", "28.mlp:0.1"]
    gated = family not in ("gpt2", "gptj")
    mlp = ["1.mlp:0.1"] if gated else ["1.fc_in:0.1", "1.fc_out:0.1"]
    return ["1.q_proj:0.1", "1.v_proj:rank=2", "0.out_proj:0.1", *mlp]


class Laser:
    def __init__(self, program):
        self.program = str(Path(program).resolve())

    def run(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    def apply(self, model, specs, form, out, *more):
        reduce = [word for spec in specs for word in ("--reduce", spec)]
        text = self.run("apply", model, *reduce, "--format", form, "--out", out, "--json", "--force", *more)
        return json.loads(text)

    def says(self, model, prompt, specs=(), tokens=8):
        """The greedy tokens after a prompt, with the likeliest ones' logits at each step."""
        reduce = [word for spec in specs for word in ("--reduce", spec)]
        return json.loads(self.run("chat", model, *reduce, "--raw", "--prompt", prompt, "--max-tokens", tokens, "--json",
                                   "--quiet"))


def difference(model, said):
    """The largest difference between a model's logits and those that laser told, relative to the spread of the
    logits where that is above 1."""
    import torch

    steps = said["steps"]
    tokens = said["prompt_tokens"] + [step["token"] for step in steps[:-1]]
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    worst = 0.0
    for step, row in zip(steps, logits[len(said["prompt_tokens"]) - 1 :]):
        for token, logit in step["likeliest"]:
            worst = max(worst, abs(row[token].item() - logit) / max(1.0, abs(logit)))
    return worst


def opened(folder, **options):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, trust_remote_code=True, **options).eval()


def check(name, worst, tolerance=TOLERANCE):
    assert worst <= tolerance, f"{name}: {worst}"
    print(f"{name}: {worst:.1e}", flush=True)


def with_transformers(laser, place, models):
    import torch
    from torch import nn
    from transformers import AutoModel

    for name, source in models:
        for form in ("hf", "hf-factored"):
            folder = place / f"{name}-{form}"
            written = laser.apply(source, edits(name), form, folder)
            said = [laser.says(folder, prompt) for prompt in PROMPTS]
            said = [one for one in said if one["steps"]]
            model = opened(folder)
            check(f"transformers {name} {form}", max(difference(model, one) for one in said))
            again = place / f"{name}-{form}-again"
            model.save_pretrained(again)
            check(f"transformers {name} {form}, saved again", max(difference(opened(again), one) for one in said))
            if form == "hf":
                continue
            # What vLLM's Transformers backend asks of a model, as far as transformers can tell.
            assert model._supports_attention_backend
            x = torch.tensor([said[0]["prompt_tokens"]])
            base = AutoModel.from_pretrained(folder, dtype=torch.float32, trust_remote_code=True).eval()
            with torch.no_grad():
                apart = (base(x).last_hidden_state - model.base_model(x).last_hidden_state).abs().max().item()
                check(f"  AutoModel of {name}", apart, 0.0)
                # Gemma 2 caps its scores, for which transformers has eager attention alone.
                ways = ("eager", "sdpa") if model._supports_sdpa else ("eager",)
                logits = [opened(folder, attn_implementation=how)(x).logits for how in ways]
            check(f"  {' and '.join(ways)} of {name}", (logits[0] - logits[-1]).abs().max().item())
            thin = [module for path, module in model.named_modules() if path.endswith((".factor_in", ".factor_out"))]
            expected = sum(2 for edit in written["interventions"] if edit["stored"]["rank"])
            assert len(thin) == expected and all(type(module) is nn.Linear for module in thin)
            print(f"  {len(thin)} thin matrices of {name} are nn.Linear")


def with_peft(laser, place, models):
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    for name, source in models:
        if name == "mixtral":
            specs = ["1.q_proj:0.9", "0.v_proj:0.8"]
        else:
            specs = ["1.q_proj:0.9", "1.v_proj:0.8", "0.fc_out:0.95", "1.fc_in:band=0.1,0.2"]
        lora = place / f"{name}-lora"
        base = place / f"{name}-base"
        laser.apply(source, specs, "lora", lora)
        laser.apply(source, ["0.q_proj:1"], "hf", base)
        model = PeftModel.from_pretrained(opened(base), lora).eval()
        said = [laser.says(base, prompt, specs) for prompt in PROMPTS[:4]]
        check(f"PEFT {name}", max(difference(model, one) for one in said if one["steps"]))

        folder = place / f"{name}-thin"
        laser.apply(source, edits(name), "hf-factored", folder)
        model = get_peft_model(opened(folder), LoraConfig(r=2, target_modules=["factor_in", "factor_out"]))
        x = torch.arange(5, 25)[None]
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        losses = []
        for _ in range(2):
            loss = model(x, labels=x).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        assert losses[1] < losses[0], losses
        print(f"PEFT trains on hf-factored {name}: loss {losses[0]:.4f}, then {losses[1]:.4f}")


def unnamed(source, place):
    """A fixture in a folder of another name, which becomes the file's general.name: llama.cpp wants tokens of Phi-3's
    own in any model that has that name, and the fixture has none."""
    if Path(source).suffix == ".gguf":
        return source
    folder = place / f"tiny-{len(list(place.iterdir()))}"
    shutil.copytree(source, folder)
    return folder


def with_gguf(laser, place, models, quant=()):
    import gguf
    from rounded_activations import rewritten

    for name, source in models:
        is_gguf = Path(source).suffix == ".gguf"
        path = place / f"{name}.gguf"
        laser.apply(unnamed(source, place), edits(name), "gguf", path, *quant)
        reader = gguf.GGUFReader(path)
        if is_gguf:
            before = gguf.GGUFReader(source)
            assert list(before.fields) == list(reader.fields)
            for key, field in before.fields.items():
                same = [bytes(part) for part in field.parts] == [bytes(part) for part in reader.fields[key].parts]
                assert same or key.startswith("GGUF."), key
            changed = [b.name for a, b in zip(before.tensors, reader.tensors) if bytes(a.data) != bytes(b.data)]
            print(f"gguf-py {name}: metadata equal, tensors that differ: {', '.join(changed)}")
        else:
            print(f"gguf-py {name}: {len(reader.fields)} entries, {len(reader.tensors)} tensors")
        gaps = llama_cpp_says(laser, path, path, name)
        if is_gguf:
            # Weights in four bits are multiplied by activations in eight there (rounded_activations.py): the products
            # of the same weights in f32 must be ours.
            exact = rewritten(path, place / f"{name}-f32.gguf")
            gaps = llama_cpp_says(laser, path, exact, f"{name}, the same weights in f32")
        assert max(gaps, default=0.0) <= 0.05, (name, gaps)
        perplexity(laser, path, place, name)


def llama_cpp_says(laser, path, theirs, name):
    """How far the best two of llama.cpp are apart where it has another greedy token with the file `theirs` than laser has
    with the file `path`."""
    equal, gaps, worst = compared(laser, path, theirs)
    print(f"llama.cpp {name}: {equal} greedy tokens equal, {len(gaps)} others, where its best two are at most "
          f"{max(gaps, default=0.0):.2f} apart; logits differ by at most {worst:.1e}", flush=True)
    return gaps


def compared(laser, path, theirs):
    """Greedy tokens that llama.cpp has, too; how far its best two are apart where it has another; the largest
    difference between its logits and ours."""
    from llama_cpp import Llama

    llama = Llama(theirs)
    equal, gaps, worst = 0, [], 0.0
    for prompt in PROMPTS:
        said = laser.says(path, prompt)
        tokens = list(said["prompt_tokens"])
        split = llama.tokenize(prompt)
        assert split == tokens, (path, prompt, split, tokens)
        llama.reset()
        row = llama.eval(tokens)[-1]
        for step in said["steps"]:
            worst = max(worst, max(abs(row[token] - logit) for token, logit in step["likeliest"]))
            if int(row.argmax()) == step["token"]:
                equal += 1
            else:
                top = sorted(row)[-2:]
                gaps.append(float(top[1] - top[0]))
            row = llama.eval([step["token"]])[-1]
    llama.close()
    return equal, gaps, worst


def perplexity(laser, path, place, name):
    """Of a text that is within the context of both."""
    import numpy
    from llama_cpp import Llama

    llama = Llama(path)
    text = place / "text.txt"
    text.write_text((ROOT / "docs/glossary.md").read_text()[:3000 if name.startswith("smollm2") else 150])
    ours = json.loads(laser.run("eval", path, "--text", text, "--json", "--quiet"))
    tokens = llama.tokenize(text.read_text())
    assert len(tokens) <= llama.context_length, f"{len(tokens)} tokens in a context of {llama.context_length}"
    llama.reset()
    logits = llama.eval(tokens)[:-1]
    logits -= logits.max(axis=1, keepdims=True)
    losses = numpy.log(numpy.exp(logits).sum(axis=1)) - logits[range(len(tokens) - 1), tokens[1:]]
    theirs = float(numpy.exp(losses.mean()))
    llama.close()
    mine = ours["text"]["perplexity"] if isinstance(ours.get("text"), dict) else ours["perplexity"]
    check(f"llama.cpp {name}: perplexity {theirs:.3f}, ours {mine:.3f}, apart", abs(theirs / mine - 1), 0.01)


def with_gguf_lora(laser, place):
    """An adapter.gguf on the unedited model."""
    from llama_cpp import Llama

    specs = ["1.q_proj:0.9", "1.v_proj:0.8", "0.fc_out:0.95"]
    for name in ("llama", "gpt2", "phi3", "qwen2", "gemma2"):
        base, lora = place / f"{name}-base.gguf", place / f"{name}-lora"
        source = unnamed(FIXTURES / name, place)
        laser.apply(source, ["0.q_proj:1"], "gguf", base)
        laser.apply(source, specs, "lora", lora)
        llama = Llama(base, n_ctx=128, adapter=lora / "adapter.gguf")
        worst = 0.0
        for prompt in PROMPTS[:4]:
            said = laser.says(base, prompt, specs)
            llama.reset()
            row = llama.eval(said["prompt_tokens"])[-1]
            for step in said["steps"]:
                worst = max(worst, max(abs(row[token] - logit) for token, logit in step["likeliest"]))
                row = llama.eval([step["token"]])[-1]
        llama.close()
        check(f"llama.cpp {name} with adapter.gguf", worst, 0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--laser", default=ROOT / "target/release/laser")
    parser.add_argument("--model", help="SmolLM2-135M-Instruct.Q4_1.gguf, as scripts/smollm2.sh fetches it")
    parser.add_argument("--families", help="instead of each check's own list, by commas")
    parser.add_argument("--only", default="transformers,peft,gguf")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    laser = Laser(arguments.laser)
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        own = arguments.families and arguments.families.split(",")
        fixture = lambda names: [(name, FIXTURES / name) for name in names.split() if not own or name in own]
        smollm2 = [("smollm2", Path(arguments.model).resolve())] if arguments.model else []
        if "transformers" in only:
            with_transformers(laser, place, fixture("llama gpt2 gptj phi3 qwen3 gemma2 mixtral gpt_neox") + smollm2)
        if "peft" in only:
            with_peft(laser, place, fixture("llama gpt2 gptj phi3 qwen3 gemma2 mixtral"))
        if "gguf" in only:
            with_gguf_lora(laser, place)
            with_gguf(laser, place, fixture("llama qwen2 gemma2 gpt2 phi3 mixtral") + smollm2)
            if smollm2:
                laser.apply(smollm2[0][1], ["0.q_proj:1"], "hf", place / "smollm2-folder")
                folder = place / "smollm2-folder"
                with_gguf(laser, place, [("smollm2-of-folder", folder)])
                with_gguf(laser, place, [("smollm2-of-folder-in-f32", folder)], ["--quant", "f32"])


if __name__ == "__main__":
    main()
