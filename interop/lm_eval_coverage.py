#!/usr/bin/env python3
"""How many of the task files that lm-evaluation-harness ships does `laser` take?

    interop/.venv/bin/python interop/lm_eval_coverage.py [--laser target/release/laser] [--json FILE]

Needs lm_eval 0.4.13 (interop/requirements.txt says how) and a built `laser`. Nothing is downloaded:
`laser tasks check` looks at all of a file but its data (keys, templates, filters, metrics). Prints
the share that is taken overall, by family (the top folder), and of the 60 most used tasks; and each
reason to refuse with its count. Files with functions of Python (`!function`) are a class of their
own. Exits 1 if one of the 60 that needs no Python is refused.
"""

import argparse
import collections
import importlib.metadata
import importlib.util
import json
import pathlib
import re
import subprocess
import sys

import yaml

VERSION = "0.4.13"

# A group or a tag stands for all its members: it is taken when each of them is.
MOST_USED = """
hellaswag arc_easy arc_challenge piqa winogrande boolq openbookqa mmlu gsm8k truthfulqa_mc1
truthfulqa_mc2 truthfulqa_gen triviaqa nq_open lambada_openai lambada_standard wikitext sciq race
copa rte cb wic wsc multirc record cola mnli mrpc qnli qqp sst2 wnli anli_r1 anli_r2 anli_r3
commonsense_qa social_iqa swag logiqa mathqa asdiv pubmedqa medqa_4options medmcqa drop mbpp coqa
webqs toxigen crows_pairs_english blimp xnli bbh_cot_fewshot hendrycks_math mmlu_pro agieval ifeval
humaneval hendrycks_ethics
""".split()


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads `!function` as a mark."""


Loader.add_constructor("!function", lambda loader, node: {"!function": loader.construct_scalar(node)})


def load(path, seen=()):
    """The keys of a file, those of its includes below them."""
    keys = yaml.load(path.read_bytes(), Loader=Loader)
    if not isinstance(keys, dict) or path in seen:
        return {}
    includes = keys.pop("include", None) or []
    merged = {}
    for include in [includes] if isinstance(includes, str) else includes:
        merged.update(load(path.parent / include, (*seen, path)))
    return merged | keys


def as_list(value):
    return value if isinstance(value, list) else [] if value is None else [value]


class Index:
    """Tasks, groups and tags by name, as the harness finds them."""

    def __init__(self, root):
        self.root, self.tasks, self.groups, self.tags, self.files = root, {}, {}, {}, {}
        for path in sorted(root.glob("**/*.yaml")):
            keys = load(path)
            if "class" in keys:
                continue
            if "group" in keys:
                self.groups.setdefault(keys["group"], (path, keys))
            elif "task" in keys:
                self.files[path] = keys
                if keys["task"] not in self.tasks:
                    self.tasks[keys["task"]] = path
                    for tag in as_list(keys.get("tag")):
                        self.tags.setdefault(tag, []).append(keys["task"])

    def members(self, name):
        """The files of the tasks that a name stands for."""
        if name in self.tasks:
            return [self.tasks[name]]
        if name in self.groups:
            found = []
            for item in as_list(self.groups[name][1].get("task")):
                own = item if isinstance(item, str) else item.get("group") or item["task"]
                inner = as_list(item.get("task")) if isinstance(item, dict) and "group" in item else []
                found += self.members(own) if own in self or not inner else sum(map(self.members, inner), [])
            return found
        return [self.tasks[task] for task in self.tags[name]]

    def __contains__(self, name):
        return name in self.tasks or name in self.groups or name in self.tags


def check(laser, paths):
    """What `laser` says of each file: None, or why it refuses."""
    done = subprocess.run([laser, "tasks", "check", "--json", *map(str, paths)], capture_output=True, text=True)
    if not done.stdout:
        sys.exit(f"{laser} tasks check: {done.stderr.strip()}")
    return {pathlib.Path(it["file"]): it.get("problem") for it in json.loads(done.stdout)}


def in_parts(items, size):
    return (items[i : i + size] for i in range(0, len(items), size))


def reason(path, problem):
    """A refusal without its place, so that equal ones are counted together."""
    text = re.sub(r"^\S+\.ya?ml(:\d+)?: ", "", problem)
    return text if len(text) < 140 else text[:140] + " ..."


def share(part, whole):
    return f"{part:>6} of {whole:>6} {100 * part / max(whole, 1):6.1f} %"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--laser", default="target/release/laser", help="the program [target/release/laser]")
    arguments.add_argument("--reasons", type=int, default=40, help="how many reasons to print [40]")
    arguments.add_argument("--json", help="write each file's verdict to FILE")
    asked = arguments.parse_args()

    found = importlib.util.find_spec("lm_eval")
    if found is None or importlib.metadata.version("lm_eval") != VERSION:
        sys.exit(f"lm_eval {VERSION} is needed: pip install -r interop/requirements.txt")
    root = pathlib.Path(found.origin).parent / "tasks"
    index = Index(root)

    problems = {}
    for part in in_parts([*index.files, *(path for path, _ in index.groups.values())], 500):
        problems |= check(asked.laser, part)
    python = {path for path, keys in index.files.items() if "!function" in str(keys)}

    families = collections.defaultdict(list)
    for path in index.files:
        families[path.relative_to(root).parts[0]].append(path)
    taken = {path for path in index.files if problems[path] is None}

    print(f"lm_eval {VERSION}: {len(index.files)} task files, {len(python)} of them with functions of Python")
    print(f"taken                {share(len(taken), len(index.files))}")
    print(f"of those without     {share(len(taken - python), len(index.files) - len(python))}")
    groups = [path for path, _ in index.groups.values()]
    print(f"group files          {share(sum(problems[path] is None for path in groups), len(groups))}")

    print("\nfamily                          files  python   taken  refused (no Python)")
    for family, paths in sorted(families.items(), key=lambda it: (-len(it[1]), it[0])):
        own = [path in taken for path in paths]
        other = sum(path in python and path not in taken for path in paths)
        print(f"{family:<30} {len(paths):>6} {sum(p in python for p in paths):>7} {sum(own):>7} {len(own) - sum(own) - other:>8}")

    print("\nthe 60 most used")
    refused, counts = [], collections.Counter()
    for name in MOST_USED:
        paths = index.members(name)
        bad = [path for path in paths if path not in taken]
        needs = any(path in python for path in paths)
        word = "taken" if not bad else "Python" if needs else "REFUSED"
        counts[word] += 1
        why = reason(bad[0], problems[bad[0]]) if bad else ""
        print(f"{name:<22} {len(paths):>4} {word:<8} {why}")
        if word == "REFUSED":
            refused.append(name)
    print(f"taken {counts['taken']}, with functions of Python {counts['Python']}, refused {counts['REFUSED']} of {len(MOST_USED)}")

    for title, chosen in [("task files without Python", [p for p in index.files if p not in python]), ("group files", groups),
                          ("task files with Python", list(python))]:
        reasons = collections.Counter(reason(path, problems[path]) for path in chosen if problems[path])
        print(f"\nreasons to refuse {title}: {sum(reasons.values())}")
        for text, count in reasons.most_common(asked.reasons):
            print(f"{count:>6}  {text}")
        if len(reasons) > asked.reasons:
            print(f"        and {len(reasons) - asked.reasons} more (--reasons N)")
    if asked.json:
        verdicts = {str(path.relative_to(root)): problem for path, problem in problems.items()}
        pathlib.Path(asked.json).write_text(json.dumps(verdicts, indent=1))
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
