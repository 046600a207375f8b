"""The same evaluations in PyTorch, for compare.py, which installs what this needs and calls it.

    python bench/pytorch.py MODEL.gguf EXAMPLES.jsonl PROTOCOL CANDIDATE...

PROTOCOL is `paper`: as the paper's published scripts do, the model anew for each candidate, then one example at a time, ten
greedily generated tokens and a second forward pass for the answer's log-probability; or `batched`: no generation, examples of
like length in padded batches, the head only where an answer's token is predicted. A candidate is LAYER.MATRIX:RHO. One JSON
line a candidate on standard output. The decomposition is exact (the scripts' is randomised) so that outcomes can be compared.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

NEW_TOKENS = 10
BATCH = 50
MATRICES = {"q_proj": "self_attn.q_proj", "k_proj": "self_attn.k_proj", "v_proj": "self_attn.v_proj",
            "out_proj": "self_attn.o_proj", "fc_in": "mlp.gate_proj", "fc_up": "mlp.up_proj", "fc_out": "mlp.down_proj"}


def reduce(model, candidate):
    place, rho = candidate.split(":")
    layer, name = place.split(".")
    module = f"model.layers.{layer}.{MATRICES[name]}"
    weight = model.get_submodule(module).weight
    rank = int(float(rho) * min(weight.shape) + 1e-9)
    u, s, vt = torch.linalg.svd(weight.data, full_matrices=False)
    weight.data = (u[:, :rank] * s[:rank]) @ vt[:rank]
    return f"{module}.weight"


def paper(model, tokenizer, examples):
    for example in examples:
        prompt = tokenizer(example["prompt"], return_tensors="pt")
        generated = model.generate(**prompt, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0)
        text = tokenizer.decode(generated[0][prompt.input_ids.shape[1]:], skip_special_tokens=True)
        whole = tokenizer(example["prompt"] + " " + example["answer"], return_tensors="pt").input_ids
        first = prompt.input_ids.shape[1]
        logprobs = model(whole).logits[0, first - 1:-1].log_softmax(-1)
        answer = logprobs.gather(1, whole[0, first:, None])
        yield example["answer"].lower().strip() in text.lower().strip(), -answer.mean().item()


def batched(model, tokenizer, examples):
    rows = []
    for number, example in enumerate(examples):
        first = len(tokenizer(example["prompt"]).input_ids)
        rows.append((number, first, tokenizer(example["prompt"] + " " + example["answer"]).input_ids))
    rows.sort(key=lambda row: len(row[2]))
    outcomes = [None] * len(rows)
    for start in range(0, len(rows), BATCH):
        batch = rows[start:start + BATCH]
        # The last token of an answer predicts nothing; what fills a row up stands behind all that is looked at.
        inputs = [ids[:-1] for _, _, ids in batch]
        longest = max(map(len, inputs))
        tokens = torch.tensor([ids + [0] * (longest - len(ids)) for ids in inputs])
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in inputs])
        hidden = model.model(input_ids=tokens, attention_mask=mask).last_hidden_state
        scored = [(row, place) for row, (_, first, ids) in enumerate(batch) for place in range(first - 1, len(ids) - 1)]
        logits = model.lm_head(hidden[[row for row, _ in scored], [place for _, place in scored]])
        targets = torch.tensor([batch[row][2][place + 1] for row, place in scored])
        losses = -logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
        hits = logits.argmax(-1) == targets
        for row, (number, _, _) in enumerate(batch):
            mine = torch.tensor([other == row for other, _ in scored])
            outcomes[number] = (hits[mine].all().item(), losses[mine].mean().item())
    return outcomes


def main():
    path, examples, protocol, *candidates = sys.argv[1:]
    folder, _, file = path.rpartition("/")
    with open(examples, encoding="utf-8") as rows:
        examples = [json.loads(row) for row in rows]
    tokenizer = AutoTokenizer.from_pretrained(folder or ".", gguf_file=file)
    load = lambda: AutoModelForCausalLM.from_pretrained(folder or ".", gguf_file=file, dtype=torch.float32).eval()
    model = load()
    unedited = {name: weight.clone() for name, weight in model.state_dict().items()}
    for candidate in candidates:
        start = time.perf_counter()
        name = reduce(model, candidate)
        with torch.inference_mode():
            outcomes = list({"paper": paper, "batched": batched}[protocol](model, tokenizer, examples))
        # The paper's scripts read the whole checkpoint again; reading GGUF in its place would be unfairly slow.
        model.load_state_dict(unedited if protocol == "paper" else {name: unedited[name]}, strict=False)
        seconds = time.perf_counter() - start
        correct, log_loss = zip(*outcomes)
        print(json.dumps({"candidate": candidate, "seconds": seconds, "correct": correct, "log_loss": log_loss}), flush=True)


main()
