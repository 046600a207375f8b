#!/usr/bin/env python3
"""Prints the licences of what is linked into the program, from the dependencies' own files: they ask for that.

    scripts/third-party.py [TARGET]
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = re.compile(r"(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)


def cargo(*arguments: str) -> str:
    done = subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def main() -> None:
    target = sys.argv[1:] and ["--target", sys.argv[1]]
    tree = cargo("tree", "--package", "laser-rank", "--edges", "normal", "--prefix", "none", "--format", "{p}", *target)
    linked = {tuple(line.split()[:2]) for line in tree.splitlines() if line and "(proc-macro)" not in line}
    packages = json.loads(cargo("metadata", "--format-version", "1"))["packages"]
    users: dict[str, list[str]] = collections.defaultdict(list)
    lines = []
    for package in sorted(packages, key=lambda it: (it["name"], it["version"])):
        if (package["name"], f"v{package['version']}") not in linked or package["source"] is None:
            continue
        name = f"{package['name']} {package['version']}"
        lines.append(f"{name}: {package['license'] or package['license_file']}")
        folder = pathlib.Path(package["manifest_path"]).parent
        for file in sorted(folder.iterdir()):
            if file.is_file() and TEXTS.match(file.name) and file.suffix not in (".toml", ".json", ".rs"):
                users[file.read_text(encoding="utf-8", errors="replace").strip()].append(name)
    print("The program contains these packages, under the licences named:\n")
    print("\n".join(lines))
    for text, names in users.items():
        print(f"\n{'-' * 80}\n{', '.join(names)}:\n\n{text}")


main()
