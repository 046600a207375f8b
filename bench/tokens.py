#!/usr/bin/env python3
"""Greedy tokens per second of one core, of folders in turn, in transformers and in laser.

    bench/tokens.py FOLDER... --laser target/release/laser [--tokens 64] [--rounds 3]

Needs torch and transformers. Seconds are the processor's, which other work on the machine hardly changes; what is said is
the best of the rounds, each of which takes every folder once.
"""

import argparse
import json
import os
import subprocess
import time

PROMPT = "The history of the city of Berlin begins with"


def of_laser(laser, folder, tokens):
    """What a run with many tokens takes longer than one with a single token."""
    def seconds(count):
        process = subprocess.Popen([laser, "chat", folder, "--raw", "--prompt", PROMPT, "--max-tokens", str(count), "--json",
                                    "--quiet", "--threads", "1"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        return usage.ru_utime + usage.ru_stime

    one = seconds(1)
    return (tokens - 1) / max(seconds(tokens) - one, 1e-9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--laser", required=True)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    models = {}
    for folder in arguments.folders:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=True).eval()
        models[folder] = model, AutoTokenizer.from_pretrained(folder)(PROMPT, return_tensors="pt").input_ids
    best = {}
    for _ in range(arguments.rounds):
        for folder, (model, ids) in models.items():
            start = time.process_time()
            with torch.no_grad():
                made = model.generate(ids, do_sample=False, min_new_tokens=arguments.tokens, max_new_tokens=arguments.tokens,
                                      pad_token_id=0)
            rate = (made.shape[1] - ids.shape[1]) / (time.process_time() - start)
            best[folder, "transformers"] = max(rate, best.get((folder, "transformers"), 0.0))
            rate = of_laser(arguments.laser, folder, arguments.tokens)
            best[folder, "laser"] = max(rate, best.get((folder, "laser"), 0.0))
    print(json.dumps([{"folder": folder, "in": where, "tokens_per_second": round(rate, 1)}
                      for (folder, where), rate in best.items()], indent=1))


if __name__ == "__main__":
    main()
