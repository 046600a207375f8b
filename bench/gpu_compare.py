"""Two RUN folders of the same search on two devices: gpu_compare.py NAME RUN OTHER"""

import json
import pathlib
import sys


def entries(run):
    lines = (pathlib.Path(run) / "journal.jsonl").read_text().splitlines()
    found = {}
    for line in map(json.loads, lines):
        if "log_loss" in line:
            found[(line["split"], json.dumps(line["interventions"]), json.dumps(line.get("part")))] = line
    return found


def main():
    name, one, other = sys.argv[1], entries(sys.argv[2]), entries(sys.argv[3])
    shared = one.keys() & other.keys()
    same = answers = 0
    differences = []
    for key in shared:
        a, b = one[key], other[key]
        answers += len(a["correct"])
        same += sum(x == y for x, y in zip(a["correct"], b["correct"]))
        differences += [abs(x - y) for x, y in zip(a["log_loss"], b["log_loss"])]
    best = [json.loads((pathlib.Path(run) / "best.json").read_text()).get("interventions") for run in sys.argv[2:4]]
    differences.sort()
    middle = differences[len(differences) // 2] if differences else float("nan")
    print(
        f"| {name} | {len(shared)} of {max(len(one), len(other))} | {answers} | {same / max(answers, 1):.5f} | {middle:.1e} | "
        f"{max(differences, default=float('nan')):.1e} | {'yes' if best[0] == best[1] else 'no'} |"
    )


main()
