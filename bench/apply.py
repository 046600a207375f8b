#!/usr/bin/env python3
"""Time and peak memory of `laser apply` in each format, beside `cp -r` of the same folder, in pairs.

    bench/apply.py FOLDER --laser target/release/laser [--edit 28.fc_up:0.1] [--lora-edit 28.fc_up:0.95] [--pairs 1]

FOLDER may be what scripts/synthetic-7b.py makes. Outputs lie beside it and are removed at once, so that the disk needs
room for the folder once more. Seconds are the wall's, and in brackets the processor's. Memory is the most that the process
held of its own (RssAnon, asked every 20 ms) and the most with mapped files (ru_maxrss), which the system may take back at
any time. Linux only.
"""

import argparse
import os
import shutil
import subprocess
import time
from pathlib import Path

FORMATS = ["hf", "hf-factored", "gguf", "lora", "patch"]


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def timed(command):
    """Seconds by the wall and by the processor, and bytes of its own memory and of all that it had mapped at most."""
    os.sync()
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    own = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            own = max([own, *(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))])
        except (OSError, ValueError):
            pass
        time.sleep(0.02)
    os.sync()
    assert status == 0, (command, status)
    seconds = f"{time.monotonic() - start:.0f} ({usage.ru_utime + usage.ru_stime:.0f})"
    return seconds, own, 1024 * usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--laser", required=True)
    parser.add_argument("--edit", default="28.fc_up:0.1")
    parser.add_argument("--lora-edit", default="28.fc_up:0.95", help="for lora, which takes little away")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--pairs", type=int, default=1)
    arguments = parser.parse_args()
    out = arguments.folder.with_name(arguments.folder.name + ".out")
    print("| format | `cp -r`, s | `apply`, s | own memory, GB | with mapped files, GB |\n| --- | --- | --- | --- | --- |")
    for form in arguments.formats.split(","):
        for _ in range(arguments.pairs):
            copied, *_ = timed(["cp", "-r", "--sparse=never", arguments.folder, out])
            remove(out)
            edit = arguments.lora_edit if form == "lora" else arguments.edit
            applied, own, mapped = timed([arguments.laser, "apply", arguments.folder, "--reduce", edit, "--format", form,
                                          "--out", out, "--quiet"])
            remove(out)
            print(f"| `{form}` | {copied} | {applied} | {own / 1e9:.2f} | {mapped / 1e9:.2f} |", flush=True)


if __name__ == "__main__":
    main()
