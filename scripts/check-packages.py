#!/usr/bin/env python3
"""Are the crates ready for the registry? Packs each, which takes seconds, and looks at what was packed.

    scripts/check-packages.py                       # metadata, and files that a crate takes from outside
    scripts/check-packages.py --compile CRATE...      # and checks packed crates by the compiler, from what is packed alone
    scripts/check-packages.py --compile               # all of them

Needs the dependencies in cargo's cache (any build has put them there). `cargo package` would build each crate with all of
its dependencies anew; this uses what the release profile has built.
"""
import json
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The registry's limits.
KEYWORDS, KEYWORD_LETTERS, LARGEST = 5, 20, 10 << 20


def cargo(*arguments: str, folder: pathlib.Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(["cargo", *arguments], cwd=folder, capture_output=True, text=True)


def metadata_problems(package: dict) -> list[str]:
    problems = [f"no {key}" for key in ("description", "license", "repository", "readme", "rust_version") if not package[key]]
    folder = pathlib.Path(package["manifest_path"]).parent
    if package["readme"] and not (folder / package["readme"]).is_file():
        problems.append(f"there is no {package['readme']}")
    if not 1 <= len(package["keywords"]) <= KEYWORDS or any(len(word) > KEYWORD_LETTERS for word in package["keywords"]):
        problems.append(f"keywords: 1 to {KEYWORDS}, of at most {KEYWORD_LETTERS} letters")
    if not package["categories"]:
        problems.append("no categories")
    return problems


def packed_problems(crate: pathlib.Path) -> list[str]:
    """What is too large, or included from where the package has nothing. Tests are not packed."""
    problems = [] if crate.stat().st_size <= LARGEST else [f"larger than {LARGEST} bytes"]
    with tarfile.open(crate) as packed:
        texts = {name.partition("/")[2]: packed.extractfile(name) for name in packed.getnames()}
        for name, file in texts.items():
            if not name.endswith(".rs"):
                continue
            text = file.read().decode()
            # Of `concat!("../folder/", $name)` the folder.
            for path in re.findall(r'include_(?:str|bytes)!\(\s*(?:concat!\(\s*)?"([^"]*)"', text):
                wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
                if not wanted.startswith("tests/") and not any(it == wanted or it.startswith(f"{wanted}/") for it in texts):
                    problems.append(f"{name} includes {path}, which is not in the package")
    return problems


def compiled(crates: dict[str, pathlib.Path], wanted: list[str], target: pathlib.Path) -> int:
    """Checks unpacked crates in a workspace of their own, where they stand for those of the registry."""
    folder = target / "package/unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    members = {}
    for name, crate in crates.items():
        with tarfile.open(crate) as packed:
            packed.extractall(folder, filter="data")
        members[name] = crate.name.removesuffix(".crate")
    top = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    profiles = "\n".join(re.findall(r"^\[profile\.[^\]]*\]\n(?:[^\[].*\n?)*", top, flags=re.M))
    (folder / "Cargo.toml").write_text(
        f'[workspace]\nresolver = "3"\nmembers = {json.dumps(list(members.values()))}\n\n[patch.crates-io]\n'
        + "".join(f'{name} = {{ path = "{path}" }}\n' for name, path in members.items())
        + f"\n{profiles}",
        encoding="utf-8",
    )
    shutil.copy(ROOT / "Cargo.lock", folder)
    chosen = [argument for name in wanted for argument in ("--package", name)] or ["--workspace"]
    command = ["cargo", "check", "--release", "--offline", "--target-dir", str(target), *chosen]
    return subprocess.run(command, cwd=folder).returncode


def main() -> int:
    described = json.loads(cargo("metadata", "--offline", "--format-version", "1", "--no-deps").stdout)
    published = [package for package in described["packages"] if package["publish"] != []]
    others = [package["name"] for package in described["packages"] if package["publish"] == []]
    problems = [f"{it['name']}: {problem}" for it in published for problem in metadata_problems(it)]
    excluded = [argument for name in others for argument in ("--exclude", name)]
    done = cargo("package", "--workspace", "--no-verify", "--offline", "--allow-dirty", "--quiet", *excluded)
    if done.returncode != 0:
        problems.append(done.stderr.strip())
    target = pathlib.Path(described["target_directory"])
    crates = {it["name"]: target / f"package/{it['name']}-{it['version']}.crate" for it in published}
    for name, crate in crates.items():
        problems += [f"{name}: {problem}" for problem in (packed_problems(crate) if crate.exists() else ["was not packed"])]
    size = sum(crate.stat().st_size for crate in crates.values() if crate.exists())
    print("\n".join(problems) or f"{len(crates)} crates are packed, {size / 1e6:.1f} MB; not for the registry: {', '.join(others)}")
    if not problems and "--compile" in sys.argv[1:]:
        return compiled(crates, [name for name in sys.argv[1:] if name != "--compile"], target)
    return int(bool(problems))


sys.exit(main())
