#!/usr/bin/env python3
"""Holds RUN folders, and what `--json` printed, to the schemas of docs/schemas.

    pip install jsonschema
    scripts/check-schemas.py RUN...              # every file of these folders, and of the shards in them
    scripts/check-schemas.py --as json-eval FILE...

Fields that a schema does not name are wrong here, where it lets them pass: of this version there are
none. Prints what is wrong, and exits with 1 if anything is.
"""

import argparse
import json
import pathlib
import sys

from jsonschema import Draft202012Validator

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "docs/schemas"


def extended(schema):
    """The parts to which other fields are added where they are used."""
    if isinstance(schema, list):
        return set().union(*map(extended, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].rpartition("/")[2]} if "$ref" in schema and "properties" in schema else set()
    return own.union(*map(extended, schema.values()))


def closed(schema):
    """The schema without room for fields that it does not name."""
    open_parts = extended(schema)

    def close(schema, name=None):
        if isinstance(schema, list):
            return [close(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        parts = {name: close(part, name) for name, part in schema.get("$defs", {}).items()}
        schema = {key: close(value) for key, value in schema.items() if key != "$defs"}
        # What alternatives name counts, too.
        if isinstance(schema.get("properties"), dict) and name not in open_parts:
            schema.setdefault("unevaluatedProperties", False)
        return schema | ({"$defs": parts} if parts else {})

    return close(schema)


def validator(name):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(closed(schema))


def problems(name, document):
    """What is wrong with a document by the schema `name`."""
    for error in validator(name).iter_errors(document):
        place = "/".join(map(str, error.absolute_path)) or "the whole"
        yield f"{place}: {error.message[:300]}"


def documents(path):
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]


def of_run(run):
    """What is wrong with the files of a RUN folder."""
    for path in sorted(run.glob("*.json*")):
        if not (SCHEMAS / f"{path.stem}.schema.json").exists():
            yield f"{path}: there is no schema of it"
            continue
        check = validator(path.stem)
        for number, document in enumerate(documents(path), 1):
            for error in check.iter_errors(document):
                place = "/".join(map(str, error.absolute_path)) or "the whole"
                yield f"{path}:{number}: {place}: {error.message[:300]}"
    for shard in sorted(run.glob("shards/*/")):
        yield from of_run(shard)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--as", dest="name", help="the schema of these documents")
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    found = []
    for path in options.paths:
        if options.name:
            found += [f"{path}: {it}" for document in documents(path) for it in problems(options.name, document)]
        else:
            found += of_run(path)
    print("\n".join(found) or "all files are as their schemas say")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
