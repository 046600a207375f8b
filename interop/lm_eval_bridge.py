#!/usr/bin/env python3
"""The bridge to lm-evaluation-harness: `--model hf` and `--model laser` on the harness's own tasks, equal or not?

    python3 interop/lm_eval_bridge.py [--models llama,smollm2] [--tasks drop,coqa] [--rows 8] [--search hellaswag]

Needs what interop/requirements.txt names and `laser-rank` (`pip install ./python`); models/ with SmolLM2-135M-Instruct
(scripts/smollm2.sh), or that model is left out with a line that says so. The tasks are those that need Python functions.
Only where their data comes from is replaced, by rows that this script makes up from the columns that they read, and generations
are made short. Compared are log-probabilities (1e-3 relative), generated texts and metrics. With --search a search over
one of the tasks is judged by the harness, and its base score compared with the harness's own. Exits 1 if anything differs.
"""

import argparse
import collections
import contextlib
import copy
import importlib
import io
import json
import logging
import pathlib
import re
import string
import sys
import tempfile
import types
import warnings

import lm_eval_equal
import rows

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEW_TOKENS = 8
TOLERANCE = 1e-3
# What is right or wrong is equal; truthfulqa_mc2 is a share of probabilities.
METRIC_TOLERANCE = 1e-6
LETTERS = "ABCD"


def choices(text, count=4):
    return [f"{text.phrase(2, 4)}." for _ in range(count)]


def hellaswag(text):
    return {
        "ctx_a": text.sentence(),
        "ctx_b": text.phrase(),
        "activity_label": text.word(),
        "endings": [f"[step] {text.sentence()}" for _ in range(4)],
        "label": str(text.below(4)),
    }


def winogrande(text):
    first, second = text.different(2)
    sentence = f"The {first} met the {second}, and _ {text.phrase(1, 3)}."
    return {"sentence": sentence, "option1": first, "option2": second, "answer": str(1 + text.below(2))}


def race(text):
    problems = [
        {"question": text.question() + "?", "answer": LETTERS[text.below(4)], "options": choices(text)} for _ in range(2)
    ]
    return {"article": text.sentences(2), "problems": repr(problems)}


def copa(text):
    question = ("cause", "effect")[text.below(2)]
    found = {"premise": text.sentence(), "question": question, "label": text.below(2)}
    return found | {"choice1": text.sentence(), "choice2": text.sentence()}


def medqa(text):
    return {"sent1": text.question(), "label": text.below(4)} | {f"ending{i}": text.phrase(1, 3) for i in range(4)}


def logiqa(text):
    found = {"context": text.sentences(2), "question": text.question() + "?"}
    return found | {"options": choices(text), "label": "abcd"[text.below(4)]}


def pubmedqa(text):
    contexts = [text.sentence() for _ in range(2)]
    return {"CONTEXTS": contexts, "QUESTION": text.question() + "?", "final_decision": ("yes", "no", "maybe")[text.below(3)]}


def mathqa(text):
    options = " , ".join(f"{letter} ) {text.below(900)}" for letter in "abcde")
    return {"Problem": text.sentences(2), "options": options, "correct": "abcde"[text.below(5)]}


def arithmetic(text):
    a, b = text.below(9), text.below(9)
    return {"context": f"\nQ: What is {a} plus {b}?\n\nA:", "completion": f" {a + b}"}


def drop(text):
    answer = {"number": str(text.below(9)), "date": {"day": "", "month": "", "year": ""}, "spans": []}
    spans = {"number": [""], "date": [{"day": "", "month": "", "year": ""}], "spans": [[text.word(), "the " + text.word()]]}
    question = {"passage": text.sentences(2), "question": text.question() + "?", "query_id": str(text.below(10**6))}
    return question | {"answer": answer, "validated_answers": spans}


def truthfulqa(text):
    labels = [1, text.below(2), 0]
    return {"question": text.question() + "?", "mc2_targets": {"choices": choices(text, 3), "labels": labels}}


def coqa(text):
    questions, answers = [[ask() for _ in range(2)] for ask in (text.question, text.word)]
    found = {"story": text.sentences(2), "questions": {"input_text": questions}, "answers": {"input_text": answers}}
    return found | {"additional_answers": {"0": {"input_text": [text.word(), text.word()]}}}


def agieval(text):
    gold = [text.below(4)]
    return {"query": f"Q: {text.question()}?\nA: Among A through D, the answer is", "choices": list(LETTERS), "gold": gold}


TASKS = {
    "hellaswag": hellaswag,
    "winogrande": winogrande,
    "race": race,
    "copa": copa,
    "mnli": lambda text: {"premise": text.sentence(), "hypothesis": text.sentence(), "label": text.below(3)},
    "medqa_4options": medqa,
    "logiqa": logiqa,
    "pubmedqa": pubmedqa,
    "mathqa": mathqa,
    "arithmetic_1dc": arithmetic,
    "drop": drop,
    "truthfulqa_mc2": truthfulqa,
    "coqa": coqa,
    "agieval_logiqa_en": agieval,
    "xcopa_et": copa,
}


def parsed():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--models", default="llama,smollm2", help="which of llama and smollm2")
    arguments.add_argument("--tasks", default=",".join(TASKS), help="some of the tasks [all]")
    arguments.add_argument("--rows", type=int, default=8, help="documents of each task [8]")
    arguments.add_argument("--search", default="", help="search over this task, too")
    return arguments.parse_args()


def config(name, folder, count):
    """The harness's own configuration of a task, on made-up rows."""
    from lm_eval.tasks._yaml_loader import load_yaml

    keys = load_yaml(lm_eval_equal.shipped()[name])
    keys = {key: value for key, value in keys.items() if key not in lm_eval_equal.REPLACED}
    splits = {keys.pop(split) for split in lm_eval_equal.SPLITS if keys.get(split)}
    text = rows.Words(f"{name} {min(splits)}")
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(TASKS[name](text)) + "\n" for _ in range(count)), encoding="utf-8")
    keys |= {"task": f"bridge_{name}", "dataset_path": "json", "num_fewshot": 0, "test_split": "test"}
    keys["dataset_kwargs"] = {"data_files": {"test": str(path)}}
    if keys.get("output_type") == "generate_until":
        keys["generation_kwargs"] = dict(keys["generation_kwargs"], max_gen_toks=NEW_TOKENS)
    return keys


def evaluated(model, keys):
    """The harness's metrics and samples of a model."""
    from lm_eval import evaluator

    evaluator.add_env_info = lambda results: None
    with contextlib.redirect_stderr(io.StringIO()):
        found = evaluator.simple_evaluate(
            model=model,
            tasks=[copy.deepcopy(keys)],
            log_samples=True,
            bootstrap_iters=0,
            task_manager=lm_eval_equal.manager(),
        )
    (name,) = found["samples"]
    metrics = {key: value for key, value in found["results"][name].items() if "," in key and "_stderr" not in key}
    return metrics, sorted(found["samples"][name], key=lambda sample: sample["doc_id"])


def differences(there, here):
    """Every difference between what two models gave, in words."""
    found = []
    for name, value in there[0].items():
        if abs(value - here[0][name]) > METRIC_TOLERANCE:
            found.append(f"{name}: {value} there, {here[0][name]} here")
    for left, right in zip(there[1], here[1], strict=True):
        for (one,), (other,) in zip(left["resps"], right["resps"], strict=True):
            if isinstance(one, str):
                same = one == other
            else:
                same = abs(float(one[0]) - float(other[0])) <= TOLERANCE * max(abs(float(one[0])), 1e-6)
                same = same and bool(one[1]) == bool(other[1])
            if not same:
                found.append(f"document {left['doc_id']}: {one!r} there, {other!r} here")
    return found


def with_squad_metrics():
    """SQuAD's metrics, which coqa takes from transformers and which transformers 5 has no more."""
    name = "transformers.data.metrics.squad_metrics"
    with contextlib.suppress(ImportError):
        return importlib.import_module(name)

    def words(text):
        text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    def f1(gold, given):
        gold, given = words(gold), words(given)
        if not gold or not given:
            return int(gold == given)
        common = sum((collections.Counter(gold) & collections.Counter(given)).values())
        return 2 * common / (len(gold) + len(given))

    module = types.ModuleType(name)
    module.compute_exact = lambda gold, given: int(words(gold) == words(given))
    module.compute_f1 = f1
    import transformers.data

    transformers.data.metrics = types.ModuleType("transformers.data.metrics")
    transformers.data.metrics.squad_metrics = module
    sys.modules |= {"transformers.data.metrics": transformers.data.metrics, name: module}
    return module


def opened(name, scratch):
    """A model for the harness, and the same model's path, or why there is none."""
    from lm_eval.models.huggingface import HFLM

    if name == "llama":
        folder = ROOT / "tests/fixtures/llama"
        return HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1), folder, None
    files = sorted((ROOT / "models").glob("**/SmolLM2*.gguf"))
    if not files:
        return None, None, "it is not in models/ (scripts/smollm2.sh)"
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(files[0].parent), "gguf_file": files[0].name}
    model = AutoModelForCausalLM.from_pretrained(**where, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(**where)
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1), files[0], None


def main():
    arguments = parsed()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    from laser_rank import Session
    from laser_rank.lm_eval import LaserLM

    with_squad_metrics()
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for model in arguments.models.split(","):
            there, path, why = opened(model, scratch)
            if why:
                print(f"{model}: left out: {why}")
                continue
            session = Session(path)
            here = LaserLM(pretrained=session)
            print(f"| {model} | metric | hf | laser | differences |\n| --- | --- | --- | --- | --- |")
            for name in arguments.tasks.split(","):
                keys = config(name, scratch, arguments.rows)
                by_hf, by_laser = evaluated(there, keys), evaluated(here, keys)
                found = differences(by_hf, by_laser)
                wrong += len(found)
                for metric, value in by_hf[0].items():
                    print(f"| {name} | {metric} | {value:.4f} | {by_laser[0][metric]:.4f} | {len(found)} |", flush=True)
                for line in found[:3]:
                    print(f"  {line}")
            if arguments.search:
                wrong += searched(session, arguments.search, scratch)
    return 1 if wrong else 0


def searched(session, name, scratch):
    """Searches over a task of the harness; whether the base is scored as the harness scores it."""
    from laser_rank._lm_eval_task import opened as opened_tasks

    keys = config(name, scratch, 40)
    (task,) = opened_tasks([copy.deepcopy(keys)], lm_eval_equal.manager())
    out = scratch / f"run-{pathlib.Path(session.model).stem}"
    found = session.search(task, out=out, strategy="exhaustive", rho=[0.1, 0.5], matrices="mlp", layers="-2--1", no_costs=True)
    from laser_rank.lm_eval import LaserLM

    (metric, value), *_ = evaluated(LaserLM(pretrained=session), keys)[0].items()
    scores = [found.verdict.document["base"][split] for split in ("validation", "test")]
    mean = sum(score["n"] * score["accuracy"] for score in scores) / sum(score["n"] for score in scores)
    print(f"search over {name}: {len(found.to_pandas())} entries, best {' '.join(found.best)}, {found.verdict.word}: "
          f"{found.verdict.because}; base {mean:.6f}, {metric} of the harness {value:.6f}")
    return int(abs(mean - value) > 1e-9)


if __name__ == "__main__":
    sys.exit(main())
