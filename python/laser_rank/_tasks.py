"""Tasks that are in memory: rows, and functions that score what a model says. The engine asks :func:`make` for them."""

from __future__ import annotations

import contextlib
import dis
import functools
import hashlib
import inspect
import itertools
import json
import math
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Union

#: A name or file, rows (a list of dicts, a ``datasets.Dataset``, a pandas frame), or a task object of lm_eval.
TaskLike = Union[None, str, "os.PathLike[str]", Iterable[Mapping[str, Any]], Any]
#: What one example's answers are worth, of ids and the answers' JSON.
Judge = Callable[[str, str], float]
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
    if not isinstance(label, str):
        raise TypeError(f"name: {label!r} is not text")
    if hasattr(task, "process_results") and hasattr(task, "build_all_requests"):
        from . import _lm_eval_task

        kind = own.pop("kind", None)
        maker: Maker = lambda metric: _lm_eval_task.made([task], metric, kind)  # noqa: E731
        label = str(task.config.task)
    else:
        # Made at once: what is wrong with rows is raised here, and rows that come one by one are taken once.
        rows = rows_of(task)
        of_rows: Made = ({"name": label, "rows": ""}, None)
        if scorer is not None:
            of_rows = scored(label, rows, scorer, **own)
        elif not own:
            of_rows[0]["rows"] = json_lines(rows)
        maker = lambda _: of_rows  # noqa: E731
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
    """The rows of a frame, a data set or a list; what is missing in a row is left out."""
    if hasattr(task, "to_dict") and hasattr(task, "columns"):
        rows = task.to_dict("records")
    else:
        rows = task.to_list() if hasattr(task, "to_list") else task
    if isinstance(rows, (Mapping, bytes)) or not isinstance(rows, Iterable):
        kind = type(rows).__name__
        raise TypeError(f"an object of type {kind} is not a task: give a name, a file, or rows: a list of dicts")
    return [_row(number, row) for number, row in enumerate(rows)]


def _row(number: int, row: Any) -> dict[str, Any]:
    try:
        items = dict(row).items()
    except (TypeError, ValueError):
        shape = 'a dict such as {"prompt": "The sun is a", "answer": "star"}'
        raise TypeError(f"row {number} is of type {type(row).__name__}: a row is {shape}") from None
    return {str(key): value for key, value in items if not _is_missing(value)}


def _is_missing(value: Any) -> bool:
    """Also what frames have in place of a value."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")


def _plain(value: Any) -> Any:
    """Arrays and numbers of numpy, as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is of type {type(value).__name__}, which a row cannot hold: use texts, numbers and lists")


def json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(_json_line(number, row) for number, row in enumerate(rows))


def _json_line(number: int, row: dict[str, Any]) -> str:
    try:
        return json.dumps(row, default=_plain, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise type(error)(f"row {number}: {error}") from None


def result_kind(kind: Kind) -> Any:
    """As the engine calls it."""
    if isinstance(kind, str):
        if kind not in ("binary", "real"):
            raise ValueError(f"{kind!r} is not a kind of result: the kinds are 'binary', 'real' and (low, high)")
        return kind
    try:
        low, high = (float(bound) for bound in kind)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"kind: {kind!r} is not a kind of result: give 'binary', 'real' or two numbers (low, high)")
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
    if not callable(scorer):
        raise TypeError(f"scorer: an object of type {type(scorer).__name__} is not a function of the row and the text")
    if not isinstance(max_new_tokens, numbers.Integral) or not 0 < max_new_tokens < 2**31:
        raise ValueError(f"max_new_tokens: {max_new_tokens!r} is not a number of tokens: give 1 or more")
    stops = [until] if isinstance(until, str) else list(until) if isinstance(until, Iterable) else [until]
    if not all(isinstance(stop, str) for stop in stops):
        raise TypeError(f"until: {until!r} is not a text or a list of texts")
    examples, requests, by_id = [], {}, {}
    for number, row in enumerate(rows):
        if "prompt" not in row or "choices" in row:
            raise ValueError(f"row {number}: a row whose text is scored has a prompt and no choices")
        answers = row.get("answers", [row["answer"]] if "answer" in row else [])
        if not isinstance(row["prompt"], str) or not isinstance(answers, Iterable) or isinstance(answers, str):
            raise TypeError(f"row {number}: prompt is a text, and answers are a list of texts")
        identity = str(row.get("id", number))
        if identity in by_id:
            raise ValueError(f"row {number}: another row has the id {identity}, too: give every row its own")
        by_id[identity] = row
        target = {
            # A row without an answer has no log-loss.
            "answers": [str(answer) for answer in answers] or [""],
            "max_new_tokens": int(max_new_tokens),
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
        asked = {"kind": "generate", "context": row["prompt"], "until": stops, "max_new_tokens": int(max_new_tokens)}
        requests[identity] = [asked]

    def judge(identity: str, answers: str) -> float:
        (text,) = json.loads(answers)
        return float(scorer(by_id[identity], text))

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
    return f"{getattr(scorer, '__qualname__', '')} {hashlib.sha256(_source(scorer).encode()).hexdigest()}"


def _source(scorer: Any) -> str:
    """What a function does, as text: its source, or its instructions where there is none; and the plain values that it holds."""
    if isinstance(scorer, functools.partial):
        held = [*scorer.args, *itertools.chain.from_iterable(sorted(scorer.keywords.items()))]
        return f"{_source(scorer.func)} of {_plain_values(held)}"
    function = scorer if hasattr(scorer, "__code__") else type(scorer)
    code = getattr(function, "__code__", None) or getattr(function.__call__, "__code__", None)
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = _instructions(code)
    held = _plain_values(_held(code, getattr(function, "__closure__", None) or ()))
    return f"{source} of {held}" if held else source


def _held(code: Any, cells: Iterable[Any]) -> Iterator[Any]:
    """What a function has from the one around it, and does not change."""
    for name, cell in zip(code.co_freevars if cells else (), cells):
        is_set = any(step.opname == "STORE_DEREF" and step.argval == name for step in dis.get_instructions(code))
        with contextlib.suppress(ValueError):
            if not is_set:
                yield cell.cell_contents


def _plain_values(values: Iterable[Any]) -> list[Any]:
    """Those that are written alike in every process."""
    return [value for value in values if value is None or isinstance(value, (str, int, float))]


def _instructions(code: Any) -> str:
    """A function's instructions, names and constants, without where it stood."""
    if code is None:
        return ""
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {[_constant(it) for it in code.co_consts]}"


def _constant(value: Any) -> str:
    if inspect.iscode(value):
        return _instructions(value)
    return str(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)
