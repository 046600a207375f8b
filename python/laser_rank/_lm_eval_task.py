"""Tasks of lm-evaluation-harness: it makes the requests and judges the answers, the engine computes them."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections import defaultdict
from typing import Any

from ._tasks import Kind, Made, result_kind

#: Metrics of the harness's own that are right or wrong for each document.
BINARY = {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match"}
#: The harness's own seed of solved examples, and its longest text.
FEWSHOT_SEED = 1234
NEW_TOKENS = 256


def named(name: str, metric: str | None) -> Made:
    """The task ``NAME`` or ``FILE.yaml``, with ``@5`` behind it with five solved examples."""
    name, at, shots = name.rpartition("@") if "@" in name else (name, "", "")
    if at and not shots.isdecimal():
        raise ValueError(f"{shots!r} is not a number of solved examples: write lm_eval:NAME or lm_eval:NAME@5")
    try:
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("lm_eval"):
            raise
        raise ImportError("there is no lm_eval in this environment: pip install 'laser-rank[lm-eval]'") from None

    tasks: list[Any] = [name]
    manager = None
    if name.endswith((".yaml", ".yml")):
        from lm_eval.tasks._yaml_loader import load_yaml

        tasks, manager = [load_yaml(name)], TaskManager(include_defaults=False, include_path=os.path.dirname(name) or ".")
    found = opened(tasks, manager or TaskManager())
    if shots:
        for task in found:
            task.set_config(key="num_fewshot", value=int(shots))
    return made(found, metric)


def opened(tasks: list[Any], manager: Any) -> list[Any]:
    """The harness's objects of some tasks, those of groups among them."""
    if hasattr(manager, "load"):
        return list(manager.load(tasks)["tasks"].values())
    from lm_eval.tasks import get_task_dict

    return list(_leaves(get_task_dict(tasks, manager)))


def _leaves(tasks: Any) -> Any:
    """The tasks of a group, and of the groups in it."""
    for task in tasks.values():
        if isinstance(task, dict):
            yield from _leaves(task)
        else:
            yield task[1] if isinstance(task, tuple) else task


def made(tasks: list[Any], metric: str | None, kind: Kind | None = None) -> Made:
    """Some tasks of the harness as one, judged by a metric (``NAME`` or ``NAME,FILTER``)."""
    parts = [Part(task, metric) for task in tasks]
    examples, requests, documents = [], {}, {}
    for part in parts:
        for number, instances in part.documents.items():
            identity = str(number) if len(parts) == 1 else f"{part.name}/{number}"
            examples.append(part.example(identity, instances))
            requests[identity] = [request(instance) for instance in instances]
            documents[identity] = (part, instances)

    def judge(identity: str, answers: str) -> float:
        part, instances = documents[identity]
        return part.result(instances, json.loads(answers))

    binary = all(part.is_binary() for part in parts)
    task = {
        "name": parts[0].name if len(parts) == 1 else "+".join(part.name for part in parts[:3]),
        "examples": examples,
        "requests": requests,
        "kind": result_kind(kind or ("binary" if binary else "real")),
        "rule": json.dumps([importlib.metadata.version("lm_eval"), [part.rule() for part in parts], requests]),
        "notes": [f"{part.name}: {part.metric},{part.filter.name} of lm-evaluation-harness judges" for part in parts[:1]],
    }
    return task, judge


class Part:
    """One task of the harness."""

    def __init__(self, task: Any, metric: str | None) -> None:
        self.task = task
        self.name = str(task.config.task)
        self.metric, self.filter = self._judged_by(metric)
        if task.config.num_fewshot is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=FEWSHOT_SEED)
        task.build_all_requests(limit=None, rank=0, world_size=1)
        documents = defaultdict(list)
        for instance in task.instances:
            documents[instance.doc_id].append(instance)
        # A document that is asked several times would be answered alike: decoding is greedy.
        self.documents = {
            number: sorted(instances, key=lambda instance: instance.idx) for number, instances in sorted(documents.items())
        }

    def _judged_by(self, metric: str | None) -> tuple[str, Any]:
        name, _, filter_name = (metric or "").partition(",")
        means = [found for found, aggregation in self.task.aggregation().items() if _is_mean(aggregation)]
        if not means or (name and name not in means):
            found = ", ".join(means) or "none"
            raise ValueError(f"{self.name}: a search needs a metric that is a mean over documents, of which it has: {found}")
        higher = self.task.higher_is_better()
        name = name or next((it for it in means if higher.get(it, True)), means[0])
        if not higher.get(name, True):
            raise ValueError(f"{self.name}: less is better of {name}: give another metric")
        filters = {ensemble.name: ensemble for ensemble in self.task._filters}
        if filter_name and filter_name not in filters:
            raise ValueError(f"{self.name}: there is no filter {filter_name}: it has {', '.join(filters)}")
        return name, filters[filter_name] if filter_name else next(iter(filters.values()))

    def is_binary(self) -> bool:
        return self.metric in BINARY and getattr(self.task.config, "process_results", None) is None

    def rule(self) -> list[str]:
        return [self.name, str(self.task.VERSION), self.metric, self.filter.name]

    def result(self, instances: list[Any], answers: list[Any]) -> float:
        """What the harness makes of the answers to a document's requests."""
        for instance, answer in zip(instances, answers):
            instance.resps = [tuple(answer) if isinstance(answer, list) else answer]
        self.filter.apply(instances)
        filtered = [instance.filtered_resps[self.filter.name] for instance in instances]
        return float(self.task.process_results(instances[0].doc, filtered)[self.metric])

    def example(self, identity: str, instances: list[Any]) -> dict[str, Any]:
        """A document as reports show it; what is right decides the harness."""
        contexts = [instance.args[0] for instance in instances]
        kind = instances[0].request_type
        prompt, delimiter = contexts[0], ""
        if kind == "generate_until":
            answers = self._texts(instances[0].doc) or [""]
            delimiter = " "
            target = {"generate": {"answers": answers, **_generation(instances[0])}}
        elif kind == "loglikelihood_rolling":
            raise ValueError(f"{self.name}: nothing is right or wrong in texts that are scored by themselves")
        elif self.task.OUTPUT_TYPE == "loglikelihood":
            target = {"log_likelihood": {"answer": instances[0].args[1]}}
        else:
            if self.metric == "acc_mutual_info" or "acc_mutual_info" in self.task.aggregation():
                # The second half are the choices alone.
                instances = instances[: len(instances) // 2]
                contexts = contexts[: len(instances)]
            choices = [instance.args[1] for instance in instances]
            ending = None
            if len(set(contexts)) > 1:
                # The choices stand in the contexts.
                prompt = os.path.commonprefix(contexts)
                ending = choices[0]
                choices = [context[len(prompt) :] for context in contexts]
            right = self._right(instances[0].doc, len(choices))
            choose = {"choices": choices, "correct": right[0] if right else 0, "also_correct": right[1:]}
            choose |= {"none_right": not right, "by_length": self.metric == "acc_norm", "by_bytes": self.metric == "acc_bytes"}
            target = {"choose": choose | ({"ending": ending} if ending is not None else {})}
        return {"id": identity, "group": identity, "prompt": prompt, "delimiter": delimiter, "target": target}

    def _right(self, document: Any, choices: int) -> list[int]:
        """The right choices, by the harness's rule."""
        several = getattr(self.task, "multiple_input", False)
        gold = self.task.doc_to_text(document) if several else self.task.doc_to_target(document)
        if isinstance(gold, str):
            texts = self.task.doc_to_choice(document)
            gold = texts.index(gold) if gold in texts else -1
        indices = gold if isinstance(gold, list) else [gold]
        return [index for index in indices if isinstance(index, int) and 0 <= index < choices]

    def _texts(self, document: Any) -> list[str]:
        """The answers of which the first one's log-loss is measured."""
        gold = self.task.doc_to_target(document)
        if isinstance(gold, int) and getattr(self.task.config, "doc_to_choice", None) is not None:
            gold = self.task.doc_to_choice(document)[gold]
        texts = gold if isinstance(gold, list) else [gold]
        return [str(text) for text in texts if str(text).strip()]


def _is_mean(aggregation: Any) -> bool:
    return getattr(aggregation, "__name__", "") in ("mean", "nanmean")


def _generation(instance: Any) -> dict[str, Any]:
    settings = dict(instance.args[1])
    if settings.get("do_sample") and settings.get("temperature", 1.0) > 0:
        raise ValueError("a task that draws tokens at random is not searched on: decoding here is greedy")
    until = settings.get("until") or []
    stops = [until] if isinstance(until, str) else list(until)
    tokens: Any = settings.get("max_gen_toks", settings.get("max_new_tokens", NEW_TOKENS))
    return {"until": [stop for stop in stops if stop], "max_new_tokens": int(tokens)}


def request(instance: Any) -> dict[str, Any]:
    """A request of the harness, as the engine takes it."""
    kind, args = instance.request_type, instance.args
    if len(args) > 2:
        raise ValueError("the task shows pictures or sounds, which this engine does not see: use a task of texts")
    if kind in ("loglikelihood", "multiple_choice"):
        return {"kind": "log_likelihood", "context": args[0], "continuation": args[1]}
    if kind == "loglikelihood_rolling":
        return {"kind": "rolling", "text": args[0]}
    return {"kind": "generate", "context": args[0], **_generation(instance)}
