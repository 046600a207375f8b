"""PyTorch beside bench/gpu.sh on the same card and the same rows: gpu_torch.py CONFIG ROWS [--reference]

CONFIG is the config.json of a llama, whose weights are random here; ROWS are token ids with the lengths of the prompts. A
candidate costs a full forward pass in bf16 of all rows, sorted by length and padded.
"""

import json
import sys
import time

try:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
except ImportError as error:
    print(f"\nPyTorch was not measured: {error}")
    sys.exit(0)

REFERENCE = "--reference" in sys.argv
if not REFERENCE and not torch.cuda.is_available():
    print("\nPyTorch was not measured: it sees no GPU")
    sys.exit(0)
DEVICE = "cpu" if REFERENCE else "cuda"


def batches(rows, size):
    """Token ids, padded on the right, and where answers are predicted: (row, position, token)."""
    rows = sorted(rows, key=lambda row: len(row[1]))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        width = max(len(tokens) for _, tokens in part) - 1
        ids = torch.zeros(len(part), width, dtype=torch.long)
        mask = torch.zeros(len(part), width, dtype=torch.long)
        asked = []
        for i, (prompt, tokens) in enumerate(part):
            ids[i, : len(tokens) - 1] = torch.tensor(tokens[:-1])
            mask[i, : len(tokens) - 1] = 1
            asked += [(i, position - 1, tokens[position]) for position in range(prompt, len(tokens))]
        at = [torch.tensor(list(column), device=DEVICE) for column in zip(*asked)]
        yield ids.to(DEVICE), mask.to(DEVICE), at


@torch.inference_mode()
def score(model, made):
    """The answers' log-probabilities, waited for."""
    total = 0.0
    for ids, mask, (row, position, token) in made:
        hidden = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        # The head only where something is read, which is kind to PyTorch.
        logits = model.lm_head(hidden[row, position]).float()
        total += torch.log_softmax(logits, -1)[torch.arange(len(token), device=DEVICE), token].sum()
    return float(total)


def main():
    unknown = ("architectures", "model_type", "torch_dtype")
    given = {key: value for key, value in json.load(open(sys.argv[1])).items() if key not in unknown}
    rows = json.load(open(sys.argv[2]))
    begin = time.time()
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(DEVICE):
        model = LlamaForCausalLM(LlamaConfig(**given)).eval()
    print(f"\n## PyTorch {torch.__version__}, {model.dtype}, attention {model.config._attn_implementation}, the same rows\n")
    print(f"Model made in {time.time() - begin:.1f} s\n")
    print("| rows of a batch | s of all rows | examples a second and candidate |")
    print("| --- | --- | --- |", flush=True)
    for size in (8,) if REFERENCE else (32, 64, 200):
        made = list(batches(rows, size))
        score(model, made)
        times = []
        for _ in range(4):
            start = time.time()
            score(model, made)
            times.append(time.time() - start)
        print(f"| {size} | {min(times):.4f} | {len(rows) / min(times):.0f} |", flush=True)


main()
