#!/usr/bin/env python3
"""BIG-bench qa_wikidata, the rows that have one target, as a task for laser.

    scripts/qa_wikidata.py bigbench_qa_wikidata.jsonl FOLDER

Reads JSON lines with `input` and `targets`, and writes to FOLDER:
  qa_wikidata.jsonl            prompt, answer and id (the line number in the input, from 0); as a task of its own it is
                               scored by generation: the answer occurs in ten new tokens
  qa_wikidata_exact.yaml       the same rows, right when every token of the answer is the arg-max
"""

import json
import pathlib
import sys

YAML = """\
task: qa_wikidata_exact
dataset_path: json
dataset_kwargs:
  data_files: qa_wikidata.jsonl
output_type: loglikelihood
doc_to_text: "{{prompt}}"
doc_to_target: " {{answer}}"
"""

if len(sys.argv) != 3:
    sys.exit("usage: qa_wikidata.py FILE.jsonl FOLDER")
folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
with open(sys.argv[1], encoding="utf-8") as rows, open(folder / "qa_wikidata.jsonl", "w", encoding="utf-8") as out:
    for number, line in enumerate(rows):
        row = json.loads(line)
        if not isinstance(row, dict) or "input" not in row or "targets" not in row:
            sys.exit(f"{sys.argv[1]}:{number + 1}: no `input` and `targets`: give one example of task.json a line")
        if len(row["targets"]) == 1:
            example = {"id": str(number), "prompt": row["input"], "answer": row["targets"][0]}
            out.write(json.dumps(example, ensure_ascii=False) + "\n")
(folder / "qa_wikidata_exact.yaml").write_text(YAML, encoding="utf-8")
