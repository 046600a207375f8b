#!/usr/bin/env python3
"""Replays races on the outcomes of an exhaustive search, in many orders of the validation examples.

    bench/race.py RUN [ORDERS]

RUN is the folder of an exhaustive search. A race's rounds (`crates/laser-search/src/race.rs`) are replayed on the outcomes in
its journal, for each of some ways to choose who goes on. Printed is how often the winner is the exhaustive search's, or as good, and
how much validation accuracy is lost on average. Needs numpy and scipy.
"""

import argparse
import json
import pathlib
import sys

import numpy
from scipy.stats import beta

FINALISTS, LEVEL = 16, 0.05
# Name: examples of the first round, one in so many goes on, and how many of each list in turn.
RULES = {
    "accuracy, log-loss": (8, 3, ("accuracy", "log-loss")),
    "bound": (5, 2, ("bound",)),
    "bound, log-loss": (5, 2, ("bound", "log-loss")),
    "bound, bound, log-loss": (5, 2, ("bound", "bound", "log-loss")),
}


def read(run):
    entries = map(json.loads, (run / "journal.jsonl").read_text(encoding="utf-8").splitlines())
    entries = [entry for entry in entries if entry["split"] == "validation"]
    if any("part" in entry for entry in entries):
        sys.exit(f"{run}: this search was not exhaustive: give the RUN folder of one that scored all candidates")
    hits = numpy.array([[letter == "1" for letter in entry["correct"]] for entry in entries])
    losses = numpy.array([entry["log_loss"] for entry in entries])
    is_base = numpy.array([not entry["interventions"] for entry in entries])
    return hits[~is_base], losses[~is_base], hits[is_base][0]


def bounds(hits, base):
    """Clopper and Pearson's, of the share that only a candidate gets right, less that of the share that only the base does."""
    n = len(base)
    k = numpy.arange(n + 1)
    high = numpy.append(beta.ppf(1 - LEVEL / 2, k[:-1] + 1, n - k[:-1]), 1)
    low = numpy.append(0, beta.ppf(LEVEL / 2, k[1:], n - k[1:] + 1))
    return high[(hits & ~base).sum(1)] - low[(~hits & base).sum(1)]


def kept(hits, losses, base, lists, count):
    by_loss = numpy.argsort(losses.mean(1), kind="stable")
    of = {"log-loss": by_loss}
    for name, values in [("accuracy", hits.mean(1)), ("bound", bounds(hits, base))]:
        of[name] = by_loss[numpy.argsort(-values[by_loss], kind="stable")]
    # A list that comes twice gives its next two.
    queues = {name: iter(of[name]) for name in lists}
    found = {}
    while len(found) < count:
        for name in lists:
            candidate = next(queues[name], None)
            if candidate is not None and len(found) < count:
                found[candidate] = True
    return sorted(found)


def race(hits, losses, base, order, first, share, lists):
    field, seen, evaluations = numpy.arange(len(hits)), 0, 0
    while True:
        following = 2 * seen or first
        last = len(field) <= FINALISTS or following >= len(order)
        upto = len(order) if last else following
        evaluations += len(field) * (upto - seen)
        seen = upto
        if last:
            best = numpy.lexsort((losses[field].mean(1), -hits[field].mean(1)))[0]
            return field[best], evaluations
        examples = order[:seen]
        chosen = kept(hits[field][:, examples], losses[field][:, examples], base[examples], lists, max(len(field) // share, FINALISTS))
        field = field[chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("orders", type=int, nargs="?", default=300)
    options = parser.parse_args()
    if not (options.run / "journal.jsonl").is_file():
        sys.exit(f"{options.run}: this is no RUN folder: it has no journal.jsonl")
    hits, losses, base = read(options.run)
    random = numpy.random.default_rng(0)
    orders = [random.permutation(len(base)) for _ in range(options.orders)]
    best = hits.mean(1).max()
    for name, (first, share, lists) in RULES.items():
        found = [race(hits, losses, base, order, first, share, lists) for order in orders]
        lost = numpy.array([best - hits[winner].mean() for winner, _ in found])
        evaluations = found[0][1] + len(base)
        print(f"{name:24} first {first}, one in {share}: {(hits.size + len(base)) / evaluations:.1f} times fewer evaluations; "
              f"as good as the best in {100 * numpy.mean(lost < 1e-9):.0f} %, {100 * lost.mean():.2f} points lost on average")


main()
