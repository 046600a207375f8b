#!/usr/bin/env python3
"""Makes a corpus in which facts occur with frequencies that fall as 1/rank, and the facts' list.

    scripts/make-corpus.py COUNTERFACT.jsonl TEXT.txt OUT --megabytes 2000 --facts 20000

COUNTERFACT.jsonl has `case_id`, `subject` and `answer`; sentences between the facts are drawn from
TEXT.txt. Writes OUT/corpus.jsonl and OUT/facts.jsonl. The same arguments give the same bytes. It
measures `laser analyze frequency`, and stands in for a training corpus that is not at hand: its
frequencies say nothing about any model.
"""

import argparse
import json
import pathlib
import random


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counterfact", type=pathlib.Path)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--facts", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    rows = [json.loads(line) for line in options.counterfact.read_text().splitlines()][: options.facts]
    draw.shuffle(rows)
    sentences = [line.strip() for line in options.text.read_text().splitlines() if len(line) > 60]
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "facts.jsonl", "w") as facts:
        for row in rows:
            fact = {"id": str(row["case_id"]), "subject": row["subject"], "answer": row["answer"]}
            facts.write(json.dumps(fact) + "\n")
    wanted, written = options.megabytes * 1_000_000, 0
    weights = [1 / (rank + 1) for rank in range(len(rows))]
    with open(options.out / "corpus.jsonl", "w") as corpus:
        while written < wanted:
            lines = []
            for row in draw.choices(rows, weights, k=1000):
                text = f"{draw.choice(sentences)} {row['subject']}: {row['answer']}. {draw.choice(sentences)}"
                lines.append(json.dumps({"text": text}) + "\n")
            piece = "".join(lines)
            written += len(piece)
            corpus.write(piece)


if __name__ == "__main__":
    main()
