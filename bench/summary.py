#!/usr/bin/env python3
"""Writes what a RUN folder's journal says of each candidate on validation, as CSV.

    bench/summary.py RUN > bench/results/NAME.csv

Columns: the candidate (empty: the unedited model), accuracy, and log-loss in nats a token. The best by accuracy, then log-loss, come
first.
"""

import csv
import json
import pathlib
import sys


def name(intervention):
    place = f"{intervention.pop('layer')}.{intervention.pop('matrix')}"
    if list(intervention) == ["rho"]:
        return f"{place}:{intervention['rho']}"
    return f"{place}:" + ",".join(f"{key}={value}" for key, value in intervention.items())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    journal = pathlib.Path(sys.argv[1], "journal.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [entry for entry in map(json.loads, journal) if entry["split"] == "validation" and "part" not in entry]
    entries.sort(key=lambda entry: (-entry["score"]["accuracy"], entry["score"]["log_loss"]))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["candidate", "accuracy", "log_loss"])
    for entry in entries:
        writer.writerow([" ".join(map(name, entry["interventions"])), f"{entry['score']['accuracy']:.4f}", f"{entry['score']['log_loss']:.4f}"])


main()
