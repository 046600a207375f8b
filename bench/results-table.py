#!/usr/bin/env python3
"""Prints the table of docs/results.md from the RUN folders that `laser analyze table --out RUNS` leaves.

    bench/results-table.py RUNS

A row a finished RUN: what the paper's protocol would claim (the gain on validation of the best), and
what the test split says of it.
"""

import json
import pathlib
import sys


def text(edit):
    method = edit.get("rho", next((f"{k}={v}" for k, v in edit.items() if k not in ("layer", "matrix")), ""))
    return f"{edit['layer']}.{edit['matrix']}:{method}"


def row(run):
    verdict = json.loads((run / "verdict.json").read_text())
    task = json.loads((run / "run.json").read_text())["task"]
    base, best, test = verdict["base"], verdict["edited"], verdict["test"]
    percent = lambda score: f"{100 * score['accuracy']:.1f}"
    claimed = 100 * (best["validation"]["accuracy"] - base["validation"]["accuracy"])
    growth = "", ""
    if "perplexity" in verdict:
        text_change = verdict["perplexity"]
        growth = f"{100 * (text_change['edited'] / text_change['base'] - 1):+.0f}", f"{verdict['cost']['kl']:.2f}"
    return [
        pathlib.Path(task["spec"]).stem,
        str(task["examples"]),
        f"`{' '.join(text(edit) for edit in verdict['best'])}`",
        f"{claimed:+.1f}",
        percent(base["test"]),
        percent(best["test"]),
        f"{100 * test['accuracy_gain']:+.1f}",
        f"{test['p']:.1g}",
        f"{base['test']['log_loss']:.2f}",
        f"{best['test']['log_loss']:.2f}",
        *growth,
        f"**{verdict['word']}**",
    ]


def main():
    runs = sorted(path.parent for path in pathlib.Path(sys.argv[1]).glob("*/verdict.json"))
    header = ["task", "rows", "best", "claimed", "base", "best", "gain", "p", "loss before", "after"]
    header += ["perplexity, %", "KL", "verdict"]
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join(["---"] * len(header)) + " |")
    for run in runs:
        print("| " + " | ".join(row(run)) + " |")


if __name__ == "__main__":
    main()
