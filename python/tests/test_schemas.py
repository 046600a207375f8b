"""Real RUN folders and documents, held to the schemas of docs/schemas."""

import importlib.util
import json
import subprocess
import sys

import pytest
from conftest import ROOT

pytest.importorskip("jsonschema")
spec = importlib.util.spec_from_file_location("check_schemas", ROOT / "scripts/check-schemas.py")
check_schemas = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_schemas)


def printed(*arguments):
    done = subprocess.run([sys.executable, "-m", "laser_rank", *map(str, arguments), "--json", "--quiet"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def holds(name, document):
    assert list(check_schemas.problems(name, document)) == []


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A task of choices, one of generation, and a text."""
    folder = tmp_path_factory.mktemp("tasks")
    words = ["Berlin", "The book", "The writer", "French"]
    rows = [{"prompt": f"{words[i % 4]} number {i} is", "answer": "eatsn"[i // 4 % 5], "group": str(i // 2)} for i in range(60)]
    (folder / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = [{"prompt": row["prompt"], "choices": ["e", "a"], "answer": i % 2} for i, row in enumerate(rows)]
    (folder / "chosen.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    (folder / "text.txt").write_text("The book of the French writer, whose answer is true. " * 40)
    return folder


@pytest.mark.parametrize("options", [
    "--task said.jsonl --rho 0.5,0.1 --edit zero --edit prune=0.9 --edit whitened=0.5 --strategy exhaustive",
    "--task chosen.jsonl --strategy beam --width 2 --max-kl 0.5 --guard said.jsonl",
    "--task said.jsonl --strategy gradient --more 100",
    "--task said.jsonl --task chosen.jsonl --weights 2,1 --blocks 1,2",
    "--task chosen.jsonl --no-costs --strategy evolve --evaluations 300 --limit 40 --validation 0.5",
])
def test_every_file_of_a_search(options, llama, tasks, tmp_path):
    words = [str(tasks / word) if word.endswith(".jsonl") else word for word in options.split()]
    run = tmp_path / "run"
    search = ["search", llama, *words, "--layers", "1-2", "--matrices", "mlp", "--out", run]
    holds("json-dry-run", printed(*search, "--dry-run"))
    holds("json-search", printed(*search))
    assert list(check_schemas.of_run(run)) == []
    holds("verdict", printed("verdict", run))
    if "--no-costs" not in options:
        holds("json-front", printed("front", run, "--all"))


def test_shards(llama, tasks, tmp_path):
    search = ["search", llama, "--task", tasks / "said.jsonl", "--matrices", "fc_in", "--out", tmp_path / "run"]
    for shard in ("1/2", "2/2"):
        holds("json-shard", printed(*search, "--shard", shard))
    printed("merge", tmp_path / "run")
    assert list(check_schemas.of_run(tmp_path / "run")) == []


def test_documents(llama, tasks, tmp_path):
    for task in ("said.jsonl", "chosen.jsonl"):
        holds("json-eval", printed("eval", llama, "--task", tasks / task, "--text", tasks / "text.txt"))
    holds("json-eval", printed("eval", llama, "--text", tasks / "text.txt", "--reduce", "1.fc_in:0.5"))
    for form in ("hf", "hf-factored", "gguf", "lora", "patch"):
        edits = ["--reduce", "1.fc_in:0.5", "--reduce", "0.v_proj:zero", "--reduce", "2.fc_out:blocks=2,0.5"]
        edits = edits[:2] if form == "lora" else edits
        holds("json-apply", printed("apply", llama, *edits, "--format", form, "--out", tmp_path / form))
    holds("json-doctor", printed("doctor", llama))
    holds("json-doctor", printed("doctor"))


def test_what_is_wrong_is_found():
    recipe = {"interventions": [{"layer": 1, "matrix": "fc_in", "rho": 0.5}], "model": []}
    holds("best", recipe)
    for wrong in ({"rho": 1.5}, {"matrix": "fc"}, {"layer": -1}, {"zero": True}, {"rank": 3}):
        document = {**recipe, "interventions": [{**recipe["interventions"][0], **wrong}]}
        assert list(check_schemas.problems("best", document)), wrong
    assert list(check_schemas.problems("best", {**recipe, "other": 1}))
    assert list(check_schemas.problems("best", {"interventions": []}))
