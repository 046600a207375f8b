#!/usr/bin/env python3
"""What can be checked of the texts: links and anchors, lines, the book's pages, and spelling.

    scripts/check-docs.py            # spelling by `typos`, from PATH or PyPI
    scripts/check-docs.py --book     # and the book, by mdbook
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONGEST = 100
README_LINES = 150
# Of PyPI; other versions know other words.
TYPOS = "1.52.0"
# Pages that are made, or that quote what programs print.
MADE = {"docs/commands.md"}


def tracked() -> list[pathlib.Path]:
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()
    return [ROOT / name for name in names if (ROOT / name).exists() and "tests/fixtures" not in name]


def anchor(heading: str) -> str:
    """GitHub's anchor of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def prose(text: str):
    """Lines outside of code, by their numbers."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith("    "):
            yield number, line


def anchors(path: pathlib.Path) -> set[str]:
    found: dict[str, int] = {}
    names = set()
    for _, line in prose(path.read_text(encoding="utf-8")):
        if match := re.match(r"#+ (.*)", line):
            name = anchor(match.group(1))
            count = found.get(name, 0)
            names.add(name if count == 0 else f"{name}-{count}")
            found[name] = count + 1
    return names


def links(path: pathlib.Path) -> list[str]:
    problems = []
    text = path.read_text(encoding="utf-8")
    without_code = "\n".join(re.sub(r"`[^`]*`", "", line) for _, line in prose(text))
    for target in re.findall(r"\]\(([^()\s]+)\)", without_code):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            problems.append(f"there is no {target}")
        elif fragment and file.suffix == ".md" and fragment not in anchors(file):
            problems.append(f"{file.relative_to(ROOT)} has no heading #{fragment}")
    return problems


def lines(path: pathlib.Path) -> list[str]:
    long = []
    for number, line in prose(path.read_text(encoding="utf-8")):
        is_table, has_link = line.startswith("|"), "](" in line or "http" in line
        if len(line) > LONGEST and not is_table and not has_link:
            long.append(f"line {number} has {len(line)} characters, of {LONGEST} at most")
    return long


def spelling_checker() -> str | None:
    """`typos`, from PATH or out of a virtual environment of its own."""
    if found := shutil.which("typos"):
        return found
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "docs-tools"
    program = folder / "bin/typos"
    if not program.exists():
        install = [folder / "bin/pip", "install", "--quiet", f"typos=={TYPOS}"]
        for command in ([sys.executable, "-m", "venv", folder], install):
            if subprocess.run(command, capture_output=True).returncode != 0:
                return None
    return str(program)


def main() -> int:
    problems = []
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        found = links(path) + ([] if name in MADE else lines(path))
        problems += [f"{name}: {problem}" for problem in found]
    count = len((ROOT / "README.md").read_text(encoding="utf-8").splitlines())
    if count > README_LINES:
        problems.append(f"README.md: {count} lines, of {README_LINES} at most")
    summary = (ROOT / "docs/SUMMARY.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"SUMMARY.md"}
    problems += [f"docs/SUMMARY.md: {page} is missing" for page in sorted(pages) if f"({page})" not in summary]
    print("\n".join(problems) or "links, lines and pages are right")
    failed = bool(problems)
    if checker := spelling_checker():
        failed |= subprocess.run([checker, "--config", "typos.toml"], cwd=ROOT).returncode != 0
    else:
        print("spelling was not checked: there is no typos: pip install typos", file=sys.stderr)
    if "--book" in sys.argv[1:]:
        if shutil.which("mdbook"):
            failed |= subprocess.run(["mdbook", "build"], cwd=ROOT).returncode != 0
        else:
            print("the book was not built: there is no mdbook: cargo install mdbook", file=sys.stderr)
            failed = True
    return int(failed)


sys.exit(main())
