#!/usr/bin/env python3
"""How often a race in shards has the winner of a race in one process.

    python3 bench/race_shards.py [--laser target/release/laser] [--seeds 20] [--shards 4] [--model MODEL --task TASK]

Without a model: the demo's, whose task one edit helps, and a tiny random model, in which all candidates are about as good as chance.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parsed():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--laser", default=ROOT / "target/release/laser", type=pathlib.Path)
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--shards", type=int, default=4)
    arguments.add_argument("--limit", type=int, default=500)
    arguments.add_argument("--model")
    arguments.add_argument("--task")
    return arguments.parse_args()


def main():
    asked = parsed()

    def laser(*words):
        done = subprocess.run([asked.laser.resolve(), *map(str, words), "--json"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout)

    def layers(model):
        return laser("inspect", model)["layers"]

    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        subjects = [(asked.model, asked.task)]
        if not asked.model:
            laser("demo", "--out", scratch / "demo", "--quiet")
            task = next((scratch / "demo/task").glob("*.yaml"))
            rows = [
                {"prompt": f"{word} {number} is", "choices": ["one", "two", word], "answer": number % 3}
                for number in range(300)
                for word in ("the", "of", "and")
            ]
            made = scratch / "task.jsonl"
            made.write_text("".join(json.dumps(row) + "\n" for row in rows))
            subjects = [(scratch / "demo/model", task), (ROOT / "tests/fixtures/smollm3", made)]
        for model, task in subjects:
            count = min(asked.shards, layers(model))
            same = right = near = 0
            for seed in range(asked.seeds):
                search = ["search", model, "--task", task, "--strategy", "race", "--seed", seed, "--limit", asked.limit]
                search += ["--matrices", "all", "--rho", "0.5,0.2,0.1,0.02", "--no-costs", "--quiet"]
                run = scratch / f"{pathlib.Path(model).name}-{seed}"
                one = laser(*search, "--out", f"{run}-one")
                for shard in range(1, count + 1):
                    laser(*search, "--out", run, "--shard", f"{shard}/{count}")
                parts = laser("merge", run, "--quiet")
                same += one["best"] == parts["best"]
                a, b = (found["verdict"]["edited"]["validation"] for found in (one, parts))
                right += b["accuracy"] > a["accuracy"]
                near += b["accuracy"] < a["accuracy"]
            print(f"{model}: {count} shards, {asked.seeds} seeds: the same winner {same} times; else the shards' is better on "
                  f"validation {right} times, worse {near} times", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
