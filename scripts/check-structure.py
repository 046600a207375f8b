#!/usr/bin/env python3
"""Checks the structure of the crates. Prints what breaks a rule, and exits with 1 if anything does.

1. No circles of files inside a crate: a file's `use` lines and `crate::` or `super::` paths name the files it takes
   from. What it takes through the re-exports of a lib.rs or mod.rs counts for the file that defines it.
2. No source file is longer than LONGEST lines (tests and examples aside).
3. No module name stands for two different things, within the workspace. (A file of `commands/` has the name of its
   subcommand, whatever else is called so.)
4. The crates of run data and of reports need no candle, faer or tokenizers (`cargo tree`).
5. Files are opened through laser-guard, which refuses pipes and devices and stops at a length; READERS says who may
   read otherwise, and why that is safe.

`check-structure.py --table` prints the crates with their lines instead.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 450
# Names that say a role every crate has, not a subject.
COMMON = {"lib", "mod", "main", "error", "tests"}
LIGHT = {"laser-run", "laser-report", "laser-search", "laser-fleet", "laser-edit", "laser-example", "laser-corpus", "laser-sokoban"}
READS = re.compile(r"\b(?:fs::read|fs::read_to_string|read_to_string|File::open)\s*\(")
READERS = {
    "laser-guard/src/files.rs": "it is the border",
    "laser-checkpoint/src/mapped.rs": "checks the kind of file itself, and maps what may be larger than memory",
    "laser-hub/src/download.rs": "hashes what it has written",
    "laser-writers/src/staged_file.rs": "hashes what it has written",
    "laser-files/src/renames.rs": "opens folders to lock and to flush them",
    "laser-files/src/folder_record.rs": "looks at the kind and the length first",
    "laser-decision/src/training.rs": "opens a folder to lock it",
    "laser-cuda/src/compile.rs": "its own cache of compiled kernels",
    "laser-testing/src/lib.rs": "for tests alone",
    "laser-search/src/fake.rs": "for tests alone",
}
HEAVY = ("candle", "faer", "tokenizers", "parquet")


def strip(text):
    """Rust source without comments, strings and `#[cfg(test)] mod tests { ... }` at its end."""
    text = re.split(r"^#\[cfg\((?:test|all\(test, \w+\))\)\]\s*\n(?:#\[.*\]\s*\n)*\s*mod \w+ \{", text, maxsplit=1, flags=re.M)[0]
    text = re.sub(r"//.*", "", text)
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', text)


def expand(tree):
    """The paths of a `use` tree: `a::{b, c::{d, e}}` gives a::b, a::c::d, a::c::e."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        return [tree.split(" as ")[0].strip()] if tree else []
    head, inner = tree[:brace], tree[brace + 1 : tree.rindex("}")]
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(inner):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append(inner[start:i])
            start = i + 1
    parts.append(inner[start:])
    return [head.strip() + path for part in parts for path in expand(part)]


class Crate:
    def __init__(self, folder):
        self.name = folder.name
        self.source = folder / "src"
        self.files = {}
        for path in sorted(self.source.rglob("*.rs")):
            parts = list(path.relative_to(self.source).with_suffix("").parts)
            if parts[-1] in ("lib", "mod", "main"):
                parts.pop()
            if "tests" not in parts and "bin" not in parts:
                self.files.setdefault(tuple(parts), path)
        self.text = {module: strip(path.read_text()) for module, path in self.files.items()}
        self.exports = {module: self.reexports(module) for module in self.files}

    def is_facade(self, module):
        """lib.rs, main.rs or a mod.rs: what only gathers."""
        return self.files[module].stem in ("lib", "mod", "main")

    def reexports(self, module):
        """Name -> absolute path, of `pub use` lines; `*` collects the modules that are re-exported whole."""
        found = {}
        for tree in re.findall(r"\bpub(?:\([^)]*\))? use ([^;]+);", self.text[module]):
            for path in expand(" ".join(tree.split())):
                whole = self.absolute(module, path.split("::"))
                if whole:
                    found.setdefault(whole[-1], []).append(whole)
        return found

    def absolute(self, module, parts):
        """Path parts from the crate's root; None for another crate's."""
        parts = [part.strip() for part in parts]
        if parts[0] == "crate":
            return parts[1:]
        base = list(module)
        if parts[0] == "self":
            return base + parts[1:]
        if parts[0] == "super":
            while parts and parts[0] == "super":
                base, parts = base[:-1], parts[1:]
            return base + parts
        return base + parts if tuple(base + parts[:1]) in self.files else None

    def resolve(self, parts, seen=()):
        """The module that a path's item is defined in."""
        for length in range(len(parts), -1, -1):
            module = tuple(parts[:length])
            if module in self.files:
                break
        rest = parts[length:]
        if not rest or (module, rest[0]) in seen:
            return module
        for target in self.exports[module].get(rest[0], []):
            return self.resolve(target + rest[1:], seen + ((module, rest[0]),))
        for target in self.exports[module].get("*", []):
            inner = self.resolve(target[:-1] + rest, seen + ((module, rest[0]),))
            if inner != module:
                return inner
        return module

    def uses(self, module):
        """The modules that a module's file takes from."""
        text = self.text[module]
        trees = re.findall(r"\buse ([^;]+);", text)
        paths = [path for tree in trees for path in expand(" ".join(tree.split()))]
        body = re.sub(r"\buse [^;]+;", "", text)
        paths += re.findall(r"\b(?:crate|super)(?:::\w+)+", body)
        targets = set()
        for path in paths:
            whole = self.absolute(module, path.split("::"))
            if whole is None:
                continue
            target = self.resolve(whole)
            # Facades only pass names on: what is defined in them counts, what is gathered in them does not.
            if target != module and not self.is_facade(target):
                targets.add(target)
        return targets

    def circles(self):
        """Strongly connected components of more than one file (Tarjan)."""
        graph = {module: sorted(self.uses(module)) for module in self.files if not self.is_facade(module)}
        index, low, stack, found = {}, {}, [], []

        def visit(node):
            index[node] = low[node] = len(index)
            stack.append(node)
            for other in graph.get(node, []):
                if other not in index:
                    visit(other)
                    low[node] = min(low[node], low[other])
                elif other in stack:
                    low[node] = min(low[node], index[other])
            if low[node] == index[node]:
                component = []
                while True:
                    component.append(stack.pop())
                    if component[-1] == node:
                        break
                if len(component) > 1:
                    found.append(sorted(component))

        for node in graph:
            if node not in index:
                visit(node)
        return found


def lines(path):
    return len(path.read_text().splitlines())


def table(crates):
    print("| crate | files | lines | of them tests |\n| --- | --- | --- | --- |")
    for crate in crates:
        folder = crate.source.parent
        files = sorted(folder.rglob("*.rs"))
        tests = 0
        for path in files:
            text = path.read_text()
            if "tests" in path.relative_to(folder).parts or path.stem == "tests":
                tests += lines(path)
            elif (at := re.search(r"^#\[cfg\(test\)\]\s*\n(?:#\[.*\]\s*\n)*\s*mod \w+ \{", text, flags=re.M)):
                tests += len(text[at.start() :].splitlines())
        print(f"| {crate.name} | {len(files)} | {sum(map(lines, files))} | {tests} |")


def main():
    crates = [Crate(folder) for folder in sorted((ROOT / "crates").iterdir()) if (folder / "src").is_dir()]
    if sys.argv[1:] == ["--table"]:
        return table(crates)
    wrong = []
    names = {}
    for crate in crates:
        for component in crate.circles():
            wrong.append(f"{crate.name}: files use each other in a circle: {', '.join('/'.join(m) for m in component)}")
        for module, path in crate.files.items():
            is_test = path.stem.endswith("tests") or crate.name == "laser-fuzz"
            is_reader = str(path.relative_to(ROOT / "crates")) in READERS
            if READS.search(crate.text[module]) and not is_test and not is_reader:
                wrong.append(f"{path.relative_to(ROOT)}: opens a file without laser-guard")
            if lines(path) > LONGEST:
                wrong.append(f"{path.relative_to(ROOT)}: {lines(path)} lines, more than {LONGEST}")
            if module and module[-1] not in COMMON and module[0] != "commands":
                names.setdefault(module[-1], []).append(path.relative_to(ROOT))
    for name, paths in sorted(names.items()):
        if len(paths) > 1:
            wrong.append(f"module `{name}` stands for several things: {', '.join(map(str, paths))}")
    for crate in crates:
        if crate.name in LIGHT:
            tree = subprocess.run(
                ["cargo", "tree", "--offline", "-e", "normal", "--prefix", "none", "-p", crate.name],
                cwd=ROOT, capture_output=True, text=True, check=True,
            ).stdout
            for line in sorted({line for line in tree.splitlines() if line.startswith(HEAVY)}):
                wrong.append(f"{crate.name} needs {line}")
    print("\n".join(wrong) if wrong else f"{len(crates)} crates: no circles, no long files, no name twice")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
