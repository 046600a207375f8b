#!/usr/bin/env python3
"""Renders templates with the peers' own environments: what crates/laser-template must give, to the byte.

Needs lm_eval 0.4.13 and transformers 5 (interop/requirements.txt).

    python3 interop/templates.py            writes crates/laser-template/tests/golden/{task,chat,lm_eval,literals}.json
    python3 interop/templates.py --compare  renders every template of lm_eval's task files with both, by
                                            `cargo run --example render`, and counts

A case is a template and the row that it is rendered for; its result is `text`, or `error` with Python's class where
rendering fails. Errors are compared as errors only: the words are ours.
"""

import argparse
import ast
import json
import subprocess
import sys
from pathlib import Path

import yaml
from lm_eval import utils
from transformers.utils import chat_template_utils

import template_cases

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "crates/laser-template/tests/golden"
# Texts that name a place in memory differ from run to run.
ADDRESS = " at 0x"


def task(template, row):
    return utils.apply_template(template, row)


def chat(template, row):
    return chat_template_utils._compile_jinja_template(template).render(**row)


def mentioned(template, row):
    """What of a row a template can see."""
    return {name: value for name, value in row.items() if name in template}


def rendered(render, template, row):
    row = mentioned(template, row)
    case = {"template": template, "row": row}
    try:
        text = render(template, json.loads(json.dumps(row)))
    except RecursionError:
        return None
    except Exception as error:  # whatever Python raises is a failure of the template
        return {**case, "error": type(error).__name__}
    return None if ADDRESS in text else {**case, "text": text}


def literal(text):
    try:
        value = ast.literal_eval(text)
    except Exception as error:
        return {"text": text, "error": type(error).__name__}
    return {"text": text, "value": str(value)}


class Loader(yaml.SafeLoader):
    """Reads `!function` and other tags as nothing."""


Loader.add_multi_constructor("!", lambda loader, tag, node: None)
KEYS = (
    "doc_to_text", "doc_to_target", "doc_to_choice", "description", "gen_prefix", "doc_to_decontamination_query",
    "target_delimiter",
)


def strings(value, key=None):
    """The templates of a task file, wherever they stand in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)
    elif isinstance(value, str) and key in KEYS and any(mark in value for mark in ("{{", "{%", "{#")):
        yield value


def shipped():
    """The distinct templates of the task files that lm_eval ships."""
    import lm_eval

    found = set()
    for path in sorted(Path(lm_eval.__file__).parent.joinpath("tasks").rglob("*.yaml")):
        try:
            found.update(strings(yaml.load(path.read_text(), Loader)))
        except yaml.YAMLError:
            print(f"not YAML: {path}", file=sys.stderr)
    return sorted(found)


def candidates(name):
    """Values that a field of a row may have, to try one after the other."""
    text = f"The {name} of it, isn't\nit? "
    return [
        text, 1, [f" {name} a", f"{name} B.", "c"], {"text": ["one x", "two"], "label": ["A", "B"]}, "B",
        [{"text": "t 1", "label": "A", "content": "C"}], 0.5, True, {"en": "e", "de": "d"}, "2", "['a', \"b's\"]",
    ]


def synthetic(template):
    """A row that the template renders, found by trying values for the names that it uses; or None."""
    from jinja2 import meta

    names = sorted(meta.find_undeclared_variables(utils.env.parse(template)))
    row = {name: candidates(name)[0] for name in names}
    for _ in range(2):
        for name in names:
            kept = row[name]
            for value in candidates(name):
                row[name] = value
                case = rendered(task, template, row)
                if case and "text" in case:
                    return row
            row[name] = kept
    # Names of which two are not text.
    for a in names:
        for b in names:
            for first in candidates(a):
                for second in candidates(b):
                    trial = {**row, a: first, b: second}
                    case = rendered(task, template, trial)
                    if case and "text" in case:
                        return trial
    return None


def shipped_cases():
    cases, failed = [], []
    for template in shipped():
        row = synthetic(template)
        case = rendered(task, template, row) if row is not None else None
        if case:
            cases.append(case)
        else:
            failed.append(template)
    return cases, failed


def write(name, cases):
    GOLDEN.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    GOLDEN.joinpath(f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    errors = sum("error" in case for case in cases)
    print(f"{name}: {len(cases)} cases, {errors} of them errors")


def ours(cases, dialect):
    """What this repository's own renderer makes of the cases."""
    command = ["cargo", "run", "--release", "--quiet", "-p", "laser-template", "--example", "render", "--", dialect]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    run = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def compare():
    cases, failed = shipped_cases()
    results = ours(cases, "task")
    same = sum(result.get("text") == case.get("text") for case, result in zip(cases, results, strict=True))
    compiled = sum(result["compiles"] for result in ours([{"template": t, "row": {}} for t in failed], "task"))
    print(f"{len(cases)} templates rendered by both, {same} to the same bytes")
    print(f"{len(failed)} more for which no row was found, {compiled} of them compile")
    for case, result in zip(cases, results, strict=True):
        if result.get("text") != case.get("text"):
            print(json.dumps({**case, "ours": result}, ensure_ascii=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compare", action="store_true")
    if parser.parse_args().compare:
        return compare()
    write("task", [case for pair in template_cases.TASK if (case := rendered(task, *pair))])
    write("chat", [case for pair in template_cases.CHAT if (case := rendered(chat, *pair))])
    write("literals", [literal(text) for text in template_cases.LITERALS])
    cases, _ = shipped_cases()
    # Every fifth, and all that are not plain fields.
    plain = [case for case in cases if "|" not in case["template"] and "%" not in case["template"]]
    rest = [case for case in cases if case not in plain]
    write("lm_eval", plain[::8] + rest[::2])


if __name__ == "__main__":
    main()
