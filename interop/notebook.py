#!/usr/bin/env python3
"""A notebook with a search, its verdict and an evaluation, executed by nbconvert to an HTML page.

    python3 interop/notebook.py OUT.html

Needs `laser-rank` (`pip install ./python`), nbconvert, ipykernel and pandas. Prints how many figures and tables the page shows,
and exits 1 if one is missing.
"""

import html
import pathlib
import sys
import tempfile

import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

CELLS = [
    "import laser_rank\nmodel, task = laser_rank.demo('demo')\nsession = laser_rank.Session(model)",
    "found = session.search(task, out='demo/run', strategy='exhaustive')\nfound",
    "session.verdict(found).to_pandas()",
    "session.evaluate(task, found)",
    "found.to_pandas().sort_values('accuracy', ascending=False).head()",
    "session.generate('a b c', found, max_tokens=5)",
]


def main():
    out = pathlib.Path(sys.argv[1])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    with tempfile.TemporaryDirectory() as folder:
        ExecutePreprocessor(timeout=600).preprocess(notebook, {"metadata": {"path": folder}})
    page, _ = HTMLExporter().from_notebook_node(notebook)
    out.write_text(page, encoding="utf-8")
    shown = html.unescape(page)
    counts = {what: shown.count(what) for what in ("map-accuracy", "<iframe", "class=\"dataframe\"")}
    print(counts)
    return 0 if counts["map-accuracy"] and counts["<iframe"] and counts['class="dataframe"'] >= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
