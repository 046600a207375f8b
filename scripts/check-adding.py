#!/usr/bin/env python3
"""Does what docs/adding.md says in a copy of the repository, and runs the tests that it names.

    scripts/check-adding.py                      # every section
    scripts/check-adding.py "An edit method"     # some of them
    scripts/check-adding.py --light              # those that build no tensor library

A code block behind a line such as "`path`:" is a file, or, as a diff, lines of one: those with ` ` and
`-` are looked for, and those with `+` are put in their place. Shell blocks are run. A block that does
not fit the repository, and a test that fails or is not there, end it with 1.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/adding.md"
LIGHT = ["An edit method", "A strategy", "An analysis"]


def sections():
    """The page's sections, each as blocks: (language, path, text)."""
    found, title, path = {}, None, None
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith("## "):
            title, path = line[3:], None
            found[title] = []
        elif match := re.fullmatch(r"`([^`]+)`:", line):
            path = match.group(1)
        elif match := re.fullmatch(r"```(\w+)", line):
            block = []
            for inside in lines:
                if inside == "```":
                    break
                block.append(inside)
            found[title].append((match.group(1), path, block))
    return found


def changed(text, block, path):
    """A text in which the lines of a diff with ` ` and `-` have become those with ` ` and `+`."""
    before = [line[1:] for line in block if line[:1] in " -"]
    after = [line[1:] for line in block if line[:1] in " +"]
    lines = text.splitlines()
    places = [at for at in range(len(lines) - len(before) + 1) if lines[at:at + len(before)] == before]
    if len(places) != 1:
        raise SystemExit(f"docs/adding.md: {path}: {len(places)} places have the lines {before}")
    lines[places[0]:places[0] + len(before)] = after
    return "\n".join(lines) + "\n"


def follow(title, blocks, copy):
    for language, path, block in blocks:
        if language == "sh":
            for command in block:
                print(f"{title}: {command}", flush=True)
                done = subprocess.run(command, shell=True, cwd=copy, capture_output=True, text=True)
                # A filter that no test fits passes, too.
                ran = sum(map(int, re.findall(r"test result: ok\. (\d+) passed", done.stdout)))
                if done.returncode != 0 or ("cargo test" in command and ran == 0):
                    raise SystemExit(f"{done.stdout[-4000:]}{done.stderr[-4000:]}\n{title}: {command}: failed")
        elif path is None:
            raise SystemExit(f"docs/adding.md: {title}: a block of {language} belongs to no file")
        elif language == "diff":
            file = copy / path
            file.write_text(changed(file.read_text(encoding="utf-8"), block, path), encoding="utf-8")
        else:
            if (copy / path).exists():
                raise SystemExit(f"docs/adding.md: {path} is there already")
            (copy / path).write_text("\n".join(block) + "\n", encoding="utf-8")


def main():
    asked, found = sys.argv[1:], sections()
    wanted = LIGHT if asked == ["--light"] else asked or list(found)
    if unknown := [title for title in wanted if title not in found]:
        raise SystemExit(f"docs/adding.md has no section {unknown[0]!r}: {', '.join(found)}")
    # What is built in the copy serves the next run.
    os.environ.setdefault("CARGO_TARGET_DIR", str(ROOT / "target/adding"))
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch) / "laser"
        tracked = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                                 check=True, capture_output=True).stdout
        copy.mkdir()
        for name in filter(None, tracked.decode().split("\0")):
            source, target = ROOT / name, copy / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
        for title in wanted:
            follow(title, found[title], copy)
    print(f"docs/adding.md is true: {', '.join(wanted)}")


main()
