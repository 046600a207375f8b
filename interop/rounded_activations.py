#!/usr/bin/env python3
"""Why llama.cpp's logits for a file with q4_1 weights are not those that its weights stand for: it rounds activations to
eight bits before it multiplies them.

    python3 interop/rounded_activations.py SmolLM2-135M-Instruct.Q4_1.gguf --laser target/release/laser

First, one layer of the model with a single kind of matrix as the file has it and all others as f32: llama.cpp against a
forward pass in torch that rounds activations as it does, and against one that does not. Then ten prompts with eight greedy
tokens each, of the whole file and of the same weights written as f32, against ours. (Between whole models in eight bits the
first does not help: what one layer rounds the other way by chance, the next ones multiply.) Needs torch, gguf and xllamacpp.
A file of the family llama alone, with f32, q4_1 and q8_0 tensors.
"""

import argparse
import tempfile
from pathlib import Path

import numpy
import torch

BLOCK = 32


def rewritten(source, target, layers=None, kept=()):
    """The same file with the values of every tensor as f32, but for kinds of tensor in `kept`; the first layers alone if
    their number is given."""
    import gguf

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = field.types[0]
        item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        value = layers if layers and name == "llama.block_count" else field.contents()
        writer.add_key_value(name, value, kind, item)
    for tensor in reader.tensors:
        *place, short, _ = tensor.name.split(".")
        if place and layers and int(place[1]) >= layers:
            continue
        if short in kept:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        else:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
            writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


class Weight:
    """A matrix of a file, as its values and, of q4_1, what each block adds to every value."""

    def __init__(self, tensor):
        import gguf

        self.kind = tensor.tensor_type.name
        self.values = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32))
        if self.kind == "Q4_1":
            blocks = numpy.ascontiguousarray(tensor.data).reshape(len(self.values), -1, 20)
            offsets = numpy.ascontiguousarray(blocks[:, :, 2:4]).view(numpy.float16)[:, :, 0]
            self.offsets = torch.from_numpy(offsets.astype(numpy.float32))

    def times(self, x, rounded):
        """x W^T. Rounded as llama.cpp does it: per 32 activations the step is the largest one over 127, as f16, and for
        q4_1 the sum of the block is kept as f16, too."""
        if not rounded or self.kind == "F32":
            return x @ self.values.T
        blocks = x.reshape(*x.shape[:-1], -1, BLOCK)
        largest = blocks.abs().amax(-1, keepdim=True)
        whole = torch.round(blocks * torch.where(largest > 0, 127 / largest, 0))
        step = largest / 127
        near = whole * step.half().float()
        product = near.reshape(x.shape) @ self.values.T
        if self.kind == "Q4_1":
            sums = (step * whole.sum(-1, keepdim=True)).half().float() - near.sum(-1, keepdim=True)
            product += sums[..., 0] @ self.offsets.T
        return product


class Model:
    """A llama, by the names and the order of rows that GGUF has."""

    def __init__(self, path):
        import gguf

        reader = gguf.GGUFReader(path)
        of = lambda name: reader.fields[f"llama.{name}"].contents()
        self.layers, self.heads, self.kv_heads = of("block_count"), of("attention.head_count"), of("attention.head_count_kv")
        self.eps, self.base = of("attention.layer_norm_rms_epsilon"), of("rope.freq_base")
        self.weights = {tensor.name: Weight(tensor) for tensor in reader.tensors}

    def norm(self, x, name):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weights[f"{name}.weight"].values

    def rotated(self, x):
        """Neighbours are pairs."""
        count, _, width = x.shape
        angles = torch.outer(torch.arange(count, dtype=torch.float64), self.base ** (-torch.arange(0, width, 2).double() / width))
        cos, sin = angles.cos().float()[:, None], angles.sin().float()[:, None]
        even, odd = x[..., ::2], x[..., 1::2]
        return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)

    def logits(self, tokens, rounded):
        """After each token."""
        count = len(tokens)
        embedding = self.weights["token_embd.weight"]
        x = embedding.values[tokens]
        future = torch.full((count, count), -torch.inf).triu(1)
        for layer in range(self.layers):
            times = lambda x, name: self.weights[f"blk.{layer}.{name}.weight"].times(x, rounded)
            h = self.norm(x, f"blk.{layer}.attn_norm")
            q = self.rotated(times(h, "attn_q").view(count, self.heads, -1)).transpose(0, 1)
            k = self.rotated(times(h, "attn_k").view(count, self.kv_heads, -1)).transpose(0, 1)
            v = times(h, "attn_v").view(count, self.kv_heads, -1).transpose(0, 1)
            k, v = (part.repeat_interleave(self.heads // self.kv_heads, 0) for part in (k, v))
            scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5 + future
            x = x + times((scores.softmax(-1) @ v).transpose(0, 1).reshape(count, -1), "attn_output")
            h = self.norm(x, f"blk.{layer}.ffn_norm")
            gate = torch.nn.functional.silu(times(h, "ffn_gate"))
            x = x + times(gate * times(h, "ffn_up"), "ffn_down")
        output = self.weights.get("output.weight", embedding)
        return output.times(self.norm(x, "output_norm"), rounded).double().numpy()


class Agreement:
    """How near one program's logits are to another's."""

    def __init__(self, name):
        self.name, self.equal, self.gaps, self.apart = name, 0, [], []

    def add(self, row, step):
        """A row of logits, and the token that we have with the likeliest ones' logits."""
        self.apart.append(max(abs(row[token] - logit) for token, logit in step["likeliest"]))
        if row.argmax() == step["token"]:
            self.equal += 1
        else:
            top = numpy.sort(row)[-2:]
            self.gaps.append(float(top[1] - top[0]))

    def say(self):
        print(f"  {self.name}: {self.equal} of {len(self.apart)} greedy tokens equal, best two elsewhere at most "
              f"{max(self.gaps, default=0.0):.3f} apart; logits apart by {numpy.median(self.apart):.1e} in the median, "
              f"{max(self.apart):.1e} at most", flush=True)


def one_kind_at_a_time(source, prompts, place):
    from llama_cpp import Llama

    print("One layer of the unedited file, one kind of matrix as the file has it; logits of llama.cpp apart, median and most, from\n"
          "torch with exact activations    torch with activations in eight bits")
    kinds = ["token_embd", *(f"attn_{name}" for name in ("q", "k", "v", "output")), *(f"ffn_{name}" for name in ("gate", "up", "down"))]
    for kind in kinds:
        path = rewritten(source, place / "layer.gguf", 1, [kind])
        model, llama = Model(path), Llama(path)
        apart = {False: [], True: []}
        for prompt in prompts:
            tokens = llama.tokenize(prompt)
            llama.reset()
            theirs = llama.eval(tokens)
            for rounded, all_apart in apart.items():
                with torch.no_grad():
                    all_apart += list(numpy.abs(theirs - model.logits(tokens, rounded)).max(1))
        llama.close()
        exact, eight = apart[False], apart[True]
        print(f"  {kind:12} {numpy.median(exact):.1e} {max(exact):.1e}    {numpy.median(eight):.1e} {max(eight):.1e}", flush=True)
        assert max(eight) < 0.05 and max(eight) < max(exact), kind


def compared(laser, path, prompts, place):
    """Whole models: exact products of the file's weights, and llama.cpp's of the file."""
    from llama_cpp import Llama

    model, theirs, theirs_in_f32 = Model(path), Llama(path), Llama(rewritten(path, place / "f32.gguf"))
    exact = Agreement("torch, exact activations, against laser")
    in_f32 = Agreement("llama.cpp on the same weights as f32, against laser")
    in_file = Agreement("llama.cpp on the file, against laser")
    eight = Agreement("torch, activations in eight bits, against laser")
    for prompt in prompts:
        said = laser.says(path, prompt)
        steps = said["steps"]
        tokens = said["prompt_tokens"] + [step["token"] for step in steps[:-1]]
        sources = []
        for rounded, agreement in ((False, exact), (True, eight)):
            with torch.no_grad():
                sources.append((agreement, model.logits(tokens, rounded)))
        for llama, agreement in ((theirs_in_f32, in_f32), (theirs, in_file)):
            llama.reset()
            rows = list(llama.eval(said["prompt_tokens"]))
            sources.append((agreement, rows + [llama.eval([step["token"]])[-1] for step in steps[:-1]]))
        for agreement, rows in sources:
            for row, step in zip(rows[len(said["prompt_tokens"]) - 1 :], steps):
                agreement.add(row, step)
    theirs.close()
    theirs_in_f32.close()
    for agreement in (exact, in_f32, in_file, eight):
        agreement.say()
    # Exact products are ours in each token; rounded ones are as far from ours in torch as in llama.cpp.
    for agreement in (exact, in_f32):
        assert not agreement.gaps and max(agreement.apart) < 1e-2
    assert 0.5 < numpy.median(eight.apart) / numpy.median(in_file.apart) < 2


def main():
    from outputs import PROMPTS, ROOT, Laser, edits

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--laser", default=ROOT / "target/release/laser")
    arguments = parser.parse_args()
    laser = Laser(arguments.laser)
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        one_kind_at_a_time(arguments.model.resolve(), PROMPTS[:4], place)
        print("The whole file, not edited")
        compared(laser, arguments.model.resolve(), PROMPTS, place)
        print("The whole file, edited")
        edited = place / "edited.gguf"
        laser.apply(arguments.model.resolve(), edits("smollm2"), "gguf", edited)
        compared(laser, edited, PROMPTS, place)


if __name__ == "__main__":
    main()
