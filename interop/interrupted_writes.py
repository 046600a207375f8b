#!/usr/bin/env python3
"""Kills `laser apply` at random moments, and lets a disk fill up: the target is absent or the old one.

    python3 interop/interrupted_writes.py --laser target/release/laser --model MODEL [--edit 28.mlp:0.1]

MODEL is best one that takes a second to write. The full disk is a tmpfs, for which this must run as root; otherwise
that part is left out.
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

FORMATS = ["hf", "hf-factored", "gguf", "lora", "patch"]


def content(path):
    """Hashes of all files at a path; None if there is nothing."""
    if not path.exists():
        return None
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [(str(file), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files if file.is_file()]


def begun(command, out):
    """The process, once it has begun to write."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not any(path.name.startswith(".laser-") for path in out.parent.iterdir()):
        time.sleep(0.001)
    return process


def seconds_of_writing(command, out):
    process = begun(command, out)
    start = time.monotonic()
    assert process.wait() == 0
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--laser", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--edit", default="28.mlp:0.1")
    parser.add_argument("--small-edit", default="28.fc_up:0.9", help="for lora, which takes little away")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    formats = arguments.formats.split(",")

    def command(form, out):
        edit = arguments.small_edit if form == "lora" else arguments.edit
        return [arguments.laser, "apply", arguments.model, "--reduce", edit, "--format", form, "--out", str(out),
                "--force", "--quiet"]

    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        for form in formats:
            out = place / f"{form}.out"
            seconds = min(seconds_of_writing(command(form, out), out) for _ in range(2))
            whole = content(out)
            outcomes = {"absent": 0, "old": 0, "new": 0}
            for kill in range(arguments.kills):
                # The first half over nothing, the second half over what is there.
                old = None
                if out.is_dir():
                    shutil.rmtree(out)
                else:
                    out.unlink(missing_ok=True)
                if kill >= arguments.kills // 2:
                    subprocess.run(command(form, out), check=True, capture_output=True)
                    marked = out / "laser.json" if out.is_dir() else out
                    marked.write_bytes(marked.read_bytes() + b"\n")
                    old = content(out)
                process = begun(command(form, out), out)
                time.sleep(draw.uniform(0, seconds * 1.05))
                process.kill()
                process.wait()
                found = content(out)
                assert found in (old, whole), f"{form}: what is there is neither the old nor the new one"
                outcomes["new" if found == whole else "absent" if found is None else "old"] += 1
                subprocess.run(command(form, out), check=True, capture_output=True)
                assert content(out) == whole, f"{form}: the second run wrote something else"
            left = [path.name for path in place.iterdir() if path.name.startswith(".")]
            assert not left, left
            print(f"{form}: killed {arguments.kills} times within the {seconds:.2f} s of writing: {outcomes}; each second run succeeded",
                  flush=True)

        full = place / "full"
        full.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", full], capture_output=True).returncode:
            return print("a full disk: left out, tmpfs cannot be mounted here")
        try:
            filler = full / "filler"
            filler.write_bytes(bytes(4096))
            for form in formats:
                done = subprocess.run(command(form, full / "out"), capture_output=True, text=True)
                lines = done.stderr.strip().splitlines()
                assert done.returncode == 1 and len(lines) == 1 and lines[0].startswith("error: "), done
                assert list(full.iterdir()) == [filler], list(full.iterdir())
                print(f"{form} onto a full disk: {lines[0][:100]}")
        finally:
            subprocess.run(["umount", full], check=True)


if __name__ == "__main__":
    main()
