"""Tasks that are in memory: rows, and functions that score what a model says. The engine asks :func:`make` for them."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Union

#: A name or file, rows (a list of dicts, a ``datasets.Dataset``, a pandas frame), or a task object of lm_eval.
TaskLike = Union[None, str, "os.PathLike[str]", Iterable[Mapping[str, Any]], Any]
#: What one example's answers are worth, of ids and the answers' JSON.
Judge = Callable[[list[str], str], list[float]]
Made = tuple[dict[str, Any], Union[Judge, None]]
Maker = Callable[[Union[str, None]], Made]

#: What the results of a function that scores are: ``"binary"`` (0 and 1), ``"real"``, or the least and the greatest.
Kind = Union[str, tuple[float, float]]

NEW_TOKENS = 10

_makers: dict[str, Maker] = {}
_numbers = itertools.count()


def make(spec: str, metric: str | None) -> tuple[str, Judge | None]:
    """The task that is called ``spec``, as JSON, and who judges its answers, if it is not the task itself."""
    if spec in _makers:
        task, judge = _makers[spec](metric)
    elif spec.startswith("lm_eval:"):
        from . import _lm_eval_task

        task, judge = _lm_eval_task.named(spec.removeprefix("lm_eval:"), metric)
    else:
        raise ValueError("there is no such task in this process: make it again, and give it to the session's method")
    return json.dumps(task), judge


#: The options that say how a task in memory is made.
OWN = ("scorer", "kind", "max_new_tokens", "until", "name")
#: A task in memory, to be sent to another process.
Shipped = dict[str, Any]


def _is_named(task: Any) -> bool:
    """Whether the program knows the task by its name."""
    if task is None or isinstance(task, (str, os.PathLike)):
        return True
    return isinstance(task, (list, tuple)) and len(task) > 0 and all(isinstance(name, str) for name in task)


@contextlib.contextmanager
def named(task: Any, options: dict[str, Any]) -> Iterator[str | list[str] | None]:
    """A name by which the program knows ``task``. The options that say how it is made are taken out."""
    own = {name: options.pop(name) for name in OWN if name in options}
    if _is_named(task):
        if own.get("scorer") is not None or own.keys() - {"scorer"}:
            raise ValueError("scorer, kind, max_new_tokens, until and name are for rows: give rows, not the name of a task")
        yield list(task) if isinstance(task, (list, tuple)) else None if task is None else os.fspath(task)
        return
    label, maker = _maker(task, own)
    spec = f"python:{label}#{next(_numbers)}"
    _makers[spec] = maker
    try:
        yield spec
    finally:
        del _makers[spec]


def _maker(task: Any, own: dict[str, Any]) -> tuple[str, Maker]:
    """The name of a task in memory, and what makes it."""
    scorer = own.pop("scorer", None)
    label = own.pop("name", "rows")
    if hasattr(task, "process_results") and hasattr(task, "build_all_requests"):
        from . import _lm_eval_task

        kind = own.pop("kind", None)
        maker: Maker = lambda metric: _lm_eval_task.made([task], metric, kind)  # noqa: E731
        label = str(task.config.task)
    elif scorer is not None:
        maker = lambda _: scored(label, rows_of(task), scorer, **own)  # noqa: E731
    else:
        maker = lambda _: ({"name": label, "rows": json_lines(rows_of(task))}, None)  # noqa: E731
    if scorer is None and own:
        raise ValueError(f"{', '.join(own)}: these say how a scorer's texts are generated: give a scorer, too")
    return label, maker


def shipped(task: Any, options: dict[str, Any]) -> Shipped | None:
    """A task in memory, for :func:`unpack` in another process; nothing for one that has a name."""
    if _is_named(task):
        return None
    own = {name: options[name] for name in OWN if name in options}
    if own.get("scorer") is not None:
        # There the function's source may be missing.
        own["rule"] = rule_of(own["scorer"])
    is_of_harness = hasattr(task, "process_results")
    return {"task": task if is_of_harness else rows_of(task), "own": own}


def unpack(made: Shipped) -> None:
    """Has this process make a task that another one knows as ``made["spec"]``."""
    _makers[made["spec"]] = _maker(made["task"], dict(made["own"]))[1]


def rows_of(task: Any) -> list[dict[str, Any]]:
    """The rows of a frame, a data set or a list; what is missing in a frame's row is left out."""
    if hasattr(task, "to_dict") and hasattr(task, "columns"):
        records = task.to_dict("records")
        return [{str(key): value for key, value in row.items() if not _is_missing(value)} for row in records]
    rows = task.to_list() if hasattr(task, "to_list") else task
    return [{key: value for key, value in dict(row).items() if value is not None} for row in rows]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _plain(value: Any) -> Any:
    """Arrays and numbers of numpy, as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is of type {type(value).__name__}, which a row cannot hold: use texts, numbers and lists")


def json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, default=_plain) + "\n" for row in rows)


def result_kind(kind: Kind) -> Any:
    """As the engine calls it."""
    if isinstance(kind, str):
        if kind not in ("binary", "real"):
            raise ValueError(f"{kind!r} is not a kind of result: the kinds are 'binary', 'real' and (low, high)")
        return kind
    low, high = kind
    return {"bounded": {"low": low, "high": high}}


def scored(
    name: str,
    rows: list[dict[str, Any]],
    scorer: Callable[[dict[str, Any], str], float],
    kind: Kind = "binary",
    max_new_tokens: int = NEW_TOKENS,
    until: Iterable[str] = (),
    rule: str | None = None,
) -> Made:
    """A task whose generated texts ``scorer`` judges: a function of the row and the text."""
    examples, requests, by_id = [], {}, {}
    stops = [until] if isinstance(until, str) else list(until)
    for number, row in enumerate(rows):
        if "prompt" not in row or "choices" in row:
            raise ValueError(f"row {number}: a row whose text is scored has a prompt and no choices")
        answers = row.get("answers", [row["answer"]] if "answer" in row else [])
        identity = str(row.get("id", number))
        by_id[identity] = row
        target = {
            # A row without an answer has no log-loss.
            "answers": [str(answer) for answer in answers] or [""],
            "max_new_tokens": max_new_tokens,
            "until": stops,
        }
        examples.append(
            {
                "id": identity,
                "group": str(row.get("group", identity)),
                "prompt": row["prompt"],
                "delimiter": " ",
                "target": {"generate": target},
            }
        )
        asked = {"kind": "generate", "context": row["prompt"], "until": stops, "max_new_tokens": max_new_tokens}
        requests[identity] = [asked]

    def judge(ids: list[str], answers: str) -> list[float]:
        return [float(scorer(by_id[identity], text)) for identity, (text,) in zip(ids, json.loads(answers))]

    task = {
        "name": name,
        "examples": examples,
        "requests": requests,
        "kind": result_kind(kind),
        "rule": rule or rule_of(scorer),
    }
    return task, judge


def rule_of(scorer: Callable[..., Any]) -> str:
    """Another function judges otherwise: a RUN folder of the one is not resumed by the other."""
    try:
        source = inspect.getsource(scorer)
    except (OSError, TypeError):
        source = ""
    return f"{getattr(scorer, '__qualname__', '')} {hashlib.sha256(source.encode()).hexdigest()}"
