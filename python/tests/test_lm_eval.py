"""The bridge to lm-evaluation-harness. (interop/lm_eval_bridge.py compares it with the harness's own model.)"""

import json
import subprocess
import sys

import pytest

pytest.importorskip("lm_eval")

from laser_rank import Error, Session  # noqa: E402
from laser_rank.lm_eval import LaserLM  # noqa: E402


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "rows.jsonl"
    rows = [{"q": f"the {word} is", "a": number % 3} for number, word in enumerate(["red", "tall", "old", "wet"] * 8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def process(doc, results):
        """More than right or wrong."""
        logprobs = [logprob for logprob, _ in results]
        return {"margin": logprobs[doc["a"]] - max(logprobs)}

    return {
        "task": "margins",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(path)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "doc_to_choice": ["one", "two", "three"],
        "process_results": process,
        "metric_list": [{"metric": "margin", "aggregation": "mean", "higher_is_better": True}],
    }


@pytest.fixture(scope="module")
def session(llama):
    return Session(llama)


def task_of(config):
    from laser_rank._lm_eval_task import opened
    from lm_eval.tasks import TaskManager

    (task,) = opened([dict(config)], TaskManager(include_defaults=False))
    return task


def test_the_harness_judges_the_candidates_of_a_search(session, config, tmp_path):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    options = {"strategy": "exhaustive", "rho": [0.2], "matrices": "mlp", "no_costs": True}
    found = session.search(task_of(config), out=tmp_path / "run", **options)
    assert found.document["verdict"]["candidates"] > 1
    base = found.verdict.document["base"]
    n = sum(base[split]["n"] for split in base)
    mean = sum(base[split]["n"] * base[split]["accuracy"] for split in base) / n
    for edits, ours in ((None, mean), (" ".join(found.best), None)):
        lm = LaserLM(pretrained=session, reduce=edits)
        manager = TaskManager(include_defaults=False)
        given = simple_evaluate(model=lm, tasks=[dict(config)], bootstrap_iters=0, task_manager=manager)
        value = given["results"]["margins"]["margin,none"]
        assert ours is None or value == pytest.approx(ours, rel=1e-9)
        assert session.evaluate(task_of(config), edits).accuracy == pytest.approx(value, rel=1e-9)


def test_another_rule_is_another_search(session, config, tmp_path):
    options = {"out": tmp_path / "run", "rho": [0.2], "layers": "0", "matrices": "fc_in", "no_costs": True}
    session.search(task_of(config), **options)
    other = dict(config, process_results=lambda doc, results: {"margin": 0.0}, doc_to_choice=["a", "b", "c"])
    with pytest.raises(Error, match="holds another search"):
        session.search(task_of(other), **options)


def test_what_cannot_be_searched_on_is_said(session, config):
    with pytest.raises(Error, match="less is better"):
        less = [{"metric": "margin", "aggregation": "mean", "higher_is_better": False}]
        session.evaluate(task_of(dict(config, metric_list=less)))
    with pytest.raises(Error, match="which it has: margin"):
        session.evaluate(task_of(config), metric="acc")


def test_the_harness_s_own_command_runs_to_the_end(config, llama, tmp_path):
    rule = "def process(doc, results):\n    return {'margin': results[doc['a']][0] - max(it for it, _ in results)}\n"
    (tmp_path / "rule.py").write_text(rule)
    keys = {**config, "process_results": "RULE"}
    text = json.dumps(keys).replace('"RULE"', "!function rule.process")
    (tmp_path / "margins.yaml").write_text(text)
    words = ["--model", "laser", "--model_args", f"pretrained={llama},reduce=1.fc_in:0.2,device=cpu", "--tasks", tmp_path / "margins.yaml"]
    command = [sys.executable, "-m", "laser_rank.lm_eval", *map(str, words), "--output_path", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = (tmp_path / "out").glob("**/results_*.json")
    value = json.loads(found.read_text())["results"]["margins"]["margin,none"]
    assert Session(llama).evaluate(task_of(config), "1.fc_in:0.2").accuracy == pytest.approx(value, rel=1e-9)


def test_the_harness_s_own_device_is_no_more_than_a_wish(llama):
    # It gives cuda:0 where nobody has asked for a device.
    given = {"device": "cuda:0", "batch_size": 1, "max_batch_size": None}
    assert LaserLM.create_from_arg_obj({"pretrained": str(llama)}, given).words == []
    assert LaserLM.create_from_arg_string(f"pretrained={llama},device=cpu", given).words == []


def test_a_device_that_was_asked_for_is_no_wish(llama, monkeypatch):
    asked = []

    class Told(Session):
        def __init__(self, model, *, device, **options):
            asked.append(device)
            super().__init__(model)

    monkeypatch.setattr("laser_rank.lm_eval.Session", Told)
    given = {"device": "cuda:0", "batch_size": 1, "max_batch_size": None}
    LaserLM.create_from_arg_obj({"pretrained": str(llama)}, given)
    LaserLM.create_from_arg_string(f"pretrained={llama},device=cuda:0", given)
    LaserLM(str(llama))
    assert asked == ["auto", "cuda", "cpu"]
