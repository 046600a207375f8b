#!/usr/bin/env python3
"""The same task files, rows and models for lm-evaluation-harness and for `laser`: equal or not?

    interop/.venv/bin/python interop/lm_eval_equal.py [--laser target/release/laser]
        [--models llama,gpt2,smollm2] [--tasks arc_easy,piqa] [--shots 0,2] [--rows 6] [--chat]

Needs lm_eval 0.4.13 (interop/requirements.txt says how) and a built `laser`; models/ with
SmolLM2-135M-Instruct (scripts/smollm2.sh), or the rows of that model are left out with a line that
says so. Each task is a task file that the harness ships; only where its data comes from is
rewritten, to rows that interop/rows.py makes up by the fields of its templates, and generations are
made short. Compared are prompts (to the byte), log-probabilities (1e-3 relative), generated texts
and metrics. Prints a table, and exits 1 if anything differs.

--chat compares what `--chat` gives with what the harness's `--apply_chat_template` does: the fixtures
with a chat template of this script: with a tokenizer that adds no BOS token, with one that does, and
with one that does where the template has it, too. Each task runs as it is, and with answers that
have begun (`gen_prefix`). Prompts are then rendered ones, and not compared where the choices are
the questions.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import importlib.util
import io
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

VERSION = "0.4.13"
ROOT = pathlib.Path(__file__).resolve().parent.parent
NEW_TOKENS = 8
TOLERANCE = 1e-3
# Keys that say where rows come from, or that mean nothing here.
REPLACED = ("dataset_path", "dataset_name", "dataset_kwargs", "tag", "task_alias", "metadata", "group")
CHAT = """{%- for message in messages %}<|{{ message.role }}|>
{{ message.content }}
{%- if not loop.last or message.role != 'assistant' %}
{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}"""
SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")


def parsed():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--laser", default=str(ROOT / "target/release/laser"), help="the program")
    arguments.add_argument("--models", default="llama,gpt2,smollm2", help="which of llama, gpt2, smollm2")
    arguments.add_argument("--tasks", default="", help="some of the tasks [all]")
    arguments.add_argument("--shots", default="0,2", help="numbers of solved examples [0,2]")
    arguments.add_argument("--rows", type=int, default=6, help="rows of each split [6]")
    arguments.add_argument("--chat", action="store_true", help="by a chat template, see above")
    arguments.add_argument("--verbose", action="store_true", help="print every difference, not the first of each")
    return arguments.parse_args()


@functools.cache
def shipped():
    """The harness's task files by the names that they give themselves."""
    folder = pathlib.Path(importlib.util.find_spec("lm_eval").origin).parent / "tasks"
    files = {}
    for path in sorted(folder.glob("**/*.yaml")):
        named = re.search(r"^[\"']?task[\"']?: *[\"']?([^\s\"']+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if named:
            files.setdefault(named[1], path)
    return files


@functools.cache
def manager():
    """Of no tasks: looking through all that are shipped takes long, and is done once."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_defaults=False)


def task_file(name, shots, folder, count, begun=None):
    """A copy of the harness's task `name` on made-up rows, and its path; `begun` is what answers begin with."""
    import yaml
    from lm_eval.tasks._yaml_loader import load_yaml

    import rows

    keys = load_yaml(shipped()[name])
    keys = {key: value for key, value in keys.items() if key not in REPLACED}
    splits = {keys[split] for split in SPLITS if keys.get(split)}
    if keys.get("fewshot_config", {}).get("split"):
        splits.add(keys["fewshot_config"]["split"])
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for split in sorted(splits):
        text = rows.Words(f"{name} {split}")
        files[split] = folder / f"{split}.jsonl"
        made = [rows.TASKS[name](text) for _ in range(count)]
        files[split].write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    keys["task"] = f"equal_{re.sub('[^a-z0-9]', '_', name.lower())}_{shots}"
    keys["dataset_path"] = "json"
    keys["dataset_kwargs"] = {"data_files": {split: str(path) for split, path in files.items()}}
    keys["num_fewshot"] = shots
    if keys.get("output_type", "generate_until") == "generate_until":
        keys.setdefault("generation_kwargs", {"until": [keys.get("fewshot_delimiter", "\n\n")]})["max_gen_toks"] = NEW_TOKENS
    if begun is not None:
        keys["gen_prefix"] = begun
    path = folder / f"{keys['task']}.yaml"
    path.write_text(yaml.safe_dump(keys, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return keys, path


def by_harness(model, keys, chat):
    """What the harness gives: its samples in order, and its metrics."""
    from lm_eval import evaluator

    # It asks many programs for their versions.
    evaluator.add_env_info = lambda results: None
    # The keys are changed on the way.
    with contextlib.redirect_stderr(io.StringIO()):
        found = evaluator.simple_evaluate(
            model=model,
            tasks=[json.loads(json.dumps(keys))],
            log_samples=True,
            bootstrap_iters=0,
            batch_size=1,
            task_manager=manager(),
            apply_chat_template=chat,
        )
    (name,) = found["samples"]
    samples = {}
    for sample in found["samples"][name]:
        samples.setdefault(sample["doc_id"], sample)
    metrics = {key: value for key, value in found["results"][name].items() if "," in key and "_stderr" not in key}
    return [samples[number] for number in sorted(samples)], metrics


def by_laser(laser, model, path, folder, chat):
    """What `laser` gives: a line for each example, and its metrics."""
    examples = folder / "examples.jsonl"
    command = [laser, "eval", str(model), "--task", str(path), "--split", "all", "--json", "--quiet", "--threads", "1"]
    command += ["--chat"] if chat else []
    done = subprocess.run([*command, "--examples", str(examples), "--force"], capture_output=True, text=True)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    lines = examples.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines], json.loads(done.stdout)


def near(left, right):
    return abs(left - right) <= TOLERANCE * max(abs(left), abs(right), 1e-6)


def prompts(sample):
    """The contexts of a sample's requests, in order."""
    arguments = sample["arguments"]
    if isinstance(arguments, dict):
        arguments = [tuple(request.values()) for request in arguments.values()]
    return [(request[0], request[1] if len(request) > 1 else None) for request in arguments]


def differences(keys, samples, metrics, examples, evaluation, chat):
    """Every difference, in words, and how many numbers were compared."""
    found, compared = [], 0
    kind = keys.get("output_type", "generate_until")
    if len(samples) != len(examples):
        return [f"{len(samples)} rows there, {len(examples)} here"], 0
    for number, (sample, example) in enumerate(zip(samples, examples)):
        requests = prompts(sample)
        responses = [response[0] for response in sample["resps"]]
        if kind == "multiple_choice":
            logprobs = example["choice_logprobs"]
            # acc_mutual_info asks for each choice alone, too.
            requests, responses = requests[: len(logprobs)], responses[: len(logprobs)]
            contexts = {context for context, _ in requests}
            several = len(contexts) > 1
            for i, (context, _) in enumerate(requests):
                own = example["prompt"] + (example["choices"][i] if several else "")
                if context != own and not (chat and several):
                    found.append(f"row {number}: prompt {context[-60:]!r} there, {own[-60:]!r} here")
            for i, (there, here) in enumerate(zip(responses, logprobs)):
                compared += 1
                if not near(float(there[0]), here):
                    found.append(f"row {number}: choice {i}: {float(there[0]):.5f} there, {here:.5f} here")
        elif kind == "loglikelihood_rolling":
            there, here = float(responses[0]), example["answer_logprob"]
            compared += 1
            if not near(there, here):
                found.append(f"row {number}: text: {there:.4f} there, {here:.4f} here")
        else:
            if requests[0][0] != example["prompt"]:
                found.append(f"row {number}: prompt {requests[0][0][-60:]!r} there, {example['prompt'][-60:]!r} here")
            compared += 1
            if kind == "loglikelihood":
                there, here = float(responses[0][0]), example["answer_logprob"]
                if not near(there, here):
                    found.append(f"row {number}: answer: {there:.5f} there, {here:.5f} here")
            else:
                here = example["generation"]
                for stop in keys["generation_kwargs"].get("until") or []:
                    here = here.split(stop)[0]
                if responses[0] != here:
                    found.append(f"row {number}: generation {responses[0]!r} there, {here!r} here")
    ours = evaluation.get("metrics", {})
    for name, there in metrics.items():
        here = ours.get(name)
        compared += 1
        if here is None or not near(float(there), here):
            found.append(f"metric {name}: {there} there, {here} here")
    return found, compared


def talking(name, bos_by, scratch):
    """A fixture with a chat template; the tokenizer adds a BOS token, or the template, too."""
    folder = scratch / f"{name}-{bos_by}"
    shutil.copytree(ROOT / "tests/fixtures" / name, folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    template = "{{ bos_token }}" + CHAT if bos_by == "both" else CHAT
    path.write_text(json.dumps(config | {"chat_template": template}), encoding="utf-8")
    if bos_by:
        path = folder / "tokenizer.json"
        tokenizer = json.loads(path.read_text(encoding="utf-8"))
        bos = config["bos_token"]
        (number,) = [token["id"] for token in tokenizer["added_tokens"] if token["content"] == bos]
        tokenizer["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [number], "tokens": [bos]}},
        }
        path.write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


def opened(name, chat, scratch):
    """A model for the harness and the path of the same model for `laser`, or why there is none."""
    from lm_eval.models.huggingface import HFLM

    if chat:
        name, _, bos_by = name.partition("+")
        if name == "smollm2":
            return None, None, "it is not one of the fixtures"
        folder = talking(name, bos_by, scratch)
        return HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1), folder, None
    if name != "smollm2":
        folder = ROOT / "tests/fixtures" / name
        return HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1), folder, None
    source = ROOT / "models/SmolLM2-135M-Instruct.Q4_1.gguf"
    if not source.exists():
        return None, source, "models/ has no SmolLM2: run scripts/smollm2.sh"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    except Exception as error:
        return None, source, f"transformers cannot read the GGUF file: {str(error).splitlines()[0]}"
    return HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=1), source, None


def main():
    asked = parsed()
    found = importlib.util.find_spec("lm_eval")
    if found is None or importlib.metadata.version("lm_eval") != VERSION:
        sys.exit(f"lm_eval {VERSION} is needed: pip install -r interop/requirements.txt")
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    # Small models run fastest on one thread.
    os.environ |= {"LMEVAL_LOG_LEVEL": "ERROR", "OMP_NUM_THREADS": "1"}
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        os.environ["HF_DATASETS_CACHE"] = str(scratch / "cache")
        sys.exit(compare(asked, scratch))


def begun_by(chat, name):
    """What answers of a task begin with, in turn; None is the task as it is."""
    keys_of = shipped()[name].read_text(encoding="utf-8")
    # Choices that are the questions have no room for it.
    apart = chat and name not in ("winogrande",) and "loglikelihood_rolling" not in keys_of
    return [None, "So", "Well, "] if apart else [None]


def compare(asked, scratch):
    import datasets
    import torch
    import rows

    datasets.disable_progress_bars()
    torch.set_num_threads(1)
    names = asked.tasks.split(",") if asked.tasks else list(rows.TASKS)
    models = asked.models.split(",")
    if asked.chat:
        models = [f"{model}{bos}" for model in models for bos in ("", "+bos", "+both")]
    different, numbers, runs = 0, 0, 0
    print(f"{'model':<10} {'task':<38} shots  compared  result")
    for model in models:
        with contextlib.redirect_stderr(io.StringIO()):
            loaded, folder, why = opened(model, asked.chat, scratch)
        if loaded is None:
            print(f"{model:<10} left out: {why}")
            continue
        for name in names:
            variants = [(int(shots), begun) for shots in asked.shots.split(",") for begun in begun_by(asked.chat, name)]
            for number, (shots, begun) in enumerate(variants):
                folder_of = scratch / f"{name}_{number}"
                keys, path = task_file(name, shots, folder_of, max(asked.rows, shots + 2), begun)
                compared = 0
                try:
                    samples, metrics = by_harness(loaded, keys, asked.chat)
                    examples, evaluation = by_laser(asked.laser, folder, path, path.parent, asked.chat)
                    problems, compared = differences(keys, samples, metrics, examples, evaluation, asked.chat)
                except Exception as error:
                    problems = [f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"]
                runs, numbers, different = runs + 1, numbers + compared, different + bool(problems)
                result = "equal" if not problems else f"{len(problems)} differ: {problems[0]}"
                title = name if begun is None else f"{name}, {begun!r}"
                print(f"{model:<10} {title:<38} {shots:>5} {compared:>9}  {result}", flush=True)
                for problem in problems[1:] if asked.verbose else []:
                    print(f"{'':<66}{problem}")
    print(f"{runs} runs, {numbers} numbers compared, {different} runs differ")
    return 1 if different else 0


if __name__ == "__main__":
    main()
