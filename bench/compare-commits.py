#!/usr/bin/env python3
"""Runs benches of two commits in turn and prints how their medians compare.

    bench/compare-commits.py BASE [HEAD] [--bench NAME]... [--rounds 5]

Each commit is checked out beside this one, in target/compare/, and built there; the second time only
what changed is built. The benches of both are then run alternately, because a machine's speed changes with
the hour. Printed are, for each case, the median over the rounds of both commits' medians, and the middle
of the ratios of neighbouring runs. A ratio whose range holds 1 shows no difference.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def names():
    return sorted(path.stem for path in ROOT.glob("crates/*/benches/*.rs"))


def crate_of(name):
    return next(ROOT.glob(f"crates/*/benches/{name}.rs")).parent.parent.name


def checked_out(commit, side):
    folder = ROOT / "target/compare" / side
    if not folder.exists():
        git("worktree", "add", "--force", "--detach", str(folder), commit)
    subprocess.run(["git", "checkout", "--quiet", "--detach", commit], cwd=folder, check=True)
    return folder


def bench(folder, name, build_only=False):
    """The medians of one run, in seconds, by case."""
    command = ["cargo", "bench", "--quiet", "-p", crate_of(name), "--bench", name]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(folder / "target")}
    if build_only:
        subprocess.run([*command, "--no-run"], cwd=folder, check=True, env=environment)
        return {}
    results = folder / "target/criterion"
    shutil.rmtree(results, ignore_errors=True)
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
    found = {}
    for estimates in results.glob("**/new/estimates.json"):
        case = estimates.parent.parent.relative_to(results).as_posix()
        found[case] = json.loads(estimates.read_text())["median"]["point_estimate"] / 1e9
    return found


def shown(seconds):
    unit = next((unit for unit in ("s", "ms", "µs") if seconds >= UNITS[unit]), "ns")
    return f"{seconds / UNITS[unit]:.3g} {unit}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("head", nargs="?", default="HEAD")
    parser.add_argument("--bench", action="append", choices=names(), help="one of them; all unless given")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    asked = options.bench or names()
    sides = [checked_out(git("rev-parse", commit), side) for commit, side in ((options.base, "base"), (options.head, "head"))]
    for name in asked:
        for folder in sides:
            bench(folder, name, build_only=True)
        rounds = [[bench(folder, name) for folder in sides] for _ in range(options.rounds)]
        for case in sorted(rounds[0][0]):
            pairs = [(base[case], head[case]) for base, head in rounds if case in base and case in head]
            if not pairs:
                print(f"{name} {case}: only one of the commits has it", file=sys.stderr)
                continue
            ratios = sorted(head / base for base, head in pairs)
            base, head = (statistics.median(side) for side in zip(*pairs))
            print(f"{name} {case:24} {shown(base):>9} {shown(head):>9}   x{statistics.median(ratios):.3f}"
                  f" ({ratios[0]:.3f} to {ratios[-1]:.3f})")


main()
