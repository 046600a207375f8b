#!/usr/bin/env python3
"""Runs docs/tutorial.md and compares what is printed with what the page says.

    scripts/check-tutorial.py [LASER]     # the program; target/release/laser unless given

Commands run one after the other in a scratch folder, from ```sh blocks (not ```sh,skip). Numbers, edits and
distances between words may differ: other processors round differently. `…` stands for any lines. Needs
models/ with SmolLM2 (scripts/smollm2.sh); without it, it says so and passes.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf"


def blocks(text: str):
    return re.findall(r"^```([\w,]+)\n(.*?)^```", text, re.M | re.S)


def masked(line: str) -> str:
    line = re.sub(r"-?\d+\.[a-z_]+:\S+", "EDIT", line)
    line = re.sub(r"[-+]?\d[\d,]*(\.\d+)?(e-?\d+)?", "N", line)
    return " ".join(line.split())


def matches(expected: list[str], found: list[str]) -> str | None:
    """The first expected line that is not there, in order."""
    at, anywhere = 0, False
    for line in expected:
        if line == "…":
            anywhere = True
            continue
        places = range(at, len(found)) if anywhere else range(at, min(at + 1, len(found)))
        place = next((i for i in places if masked(found[i]) == masked(line)), None)
        if place is None:
            return line
        at, anywhere = place + 1, False
    return None


def main() -> int:
    laser = pathlib.Path(sys.argv[1] if sys.argv[1:] else ROOT / "target/release/laser").resolve()
    if not (ROOT / MODEL).exists():
        print("the tutorial was not run: there is no SmolLM2: scripts/smollm2.sh", file=sys.stderr)
        return 0
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        (scratch / "models").symlink_to(ROOT / "models")
        (scratch / "bin").mkdir()
        (scratch / "bin/laser").symlink_to(laser)
        environment = {**os.environ, "PATH": f"{scratch / 'bin'}:{os.environ['PATH']}", "M": MODEL}
        printed: list[str] = []
        for kind, body in blocks((ROOT / "docs/tutorial.md").read_text(encoding="utf-8")):
            if kind == "sh":
                commands = "\n".join(line for line in body.splitlines() if not line.startswith("scripts/"))
                done = subprocess.run(
                    ["bash", "-euc", commands], cwd=scratch, env=environment, capture_output=True, text=True
                )
                printed = done.stdout.splitlines()
                if done.returncode != 0:
                    print(f"{commands}\nfailed: {done.stderr}")
                    return 1
            elif kind == "text" and (missing := matches(body.splitlines(), printed)) is not None:
                print(f"the tutorial says\n    {missing}\nand this was printed:\n    " + "\n    ".join(printed))
                failed = True
    print("the tutorial is right" if not failed else "the tutorial is wrong")
    return int(failed)


sys.exit(main())
