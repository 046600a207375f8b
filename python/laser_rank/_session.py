"""A model, and what is done with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, Union

from . import _native, _results, _tasks
from ._listener import Listener
from ._native import Error
from ._results import Applied, Evaluation, Generated, Search, Verdict

PathLike = Union[str, "os.PathLike[str]"]
#: ``"9.fc_in:0.05 6.out_proj:0.01"``, a list of such texts, a RUN folder or recipe, or what a search found.
Edits = Union[None, str, Sequence[str], "os.PathLike[str]", Search]


def arguments(options: dict[str, Any]) -> list[str]:
    """Keyword arguments as the program's options: ``text_tokens=5`` is ``--text-tokens=5``, a list repeats its option."""
    words = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(option)
        elif isinstance(value, Iterable) and not isinstance(value, (str, bytes, os.PathLike)):
            words += [f"{option}={_text(item)}" for item in value]
        else:
            words.append(f"{option}={_text(value)}")
    return words


def _text(value: Any) -> str:
    """A value as the program's arguments have it; paths may be bytes."""
    text = os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Error(f"{text[:100]!a} is not valid Unicode: write it otherwise, or rename the file") from None
    return text


#: Whether the engine has computed in this process, and whether this is the child of one where it had.
_state = {"used": False, "forked": False}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _state.update(forked=_state["used"]))


def refuse_forked() -> None:
    """A forked process has none of the engine's threads, and would wait for them without end."""
    if _state["forked"]:
        why = "this process was forked from one that had opened a model, and lacks its threads"
        raise Error(f"{why}: start it by multiprocessing's method spawn, or open models only in it")
    _state["used"] = True


def edit_words(edits: str | Iterable[str]) -> list[str]:
    """Edits that are written as text."""
    if isinstance(edits, (str, bytes)):
        words = _text(edits).split()
    elif isinstance(edits, Iterable):
        words = [_text(edit) for edit in edits]
    else:
        raise TypeError(f"{edits!r} is not an edit: give text such as 27.fc_in:0.01, a list of texts, or a RUN folder")
    wrong = next((word for word in words if ":" not in word), None)
    if wrong is not None:
        raise Error(f"{wrong}: not a RUN folder, a recipe or an edit: write LAYER.MATRIX:EDIT, as in 27.fc_in:0.01")
    return words


class Session:
    """A model in memory, with its tokenizer.

    ``model`` is a Hugging Face folder, a ``.gguf`` file or an id of the hub. ``device`` is ``cpu``, ``cuda``, ``metal`` or
    ``auto``. With ``chat``, prompts go through the model's chat template. Other arguments are those of the program
    (``architecture``, ``calibration``). ``progress`` shows tqdm's bar, by default if somebody looks.

    The methods take the program's options as keyword arguments (``laser search --help``), and give what it prints with
    ``--json`` as dataclasses. They release the interpreter's lock, and Ctrl-C ends them. What fails raises
    :class:`laser_rank.Error`.
    """

    def __init__(
        self,
        model: PathLike,
        *,
        device: str = "cpu",
        chat: bool = False,
        progress: bool | None = None,
        **options: Any,
    ) -> None:
        refuse_forked()
        self.model = _text(os.fspath(model))
        words = arguments({"device": device, "chat": chat, **options})
        self._native = _native.Session([*words, "--", self.model], Listener(progress))
        self.chat = chat
        #: A folder that is there as long as the session.
        self._kept: Any = None

    def __repr__(self) -> str:
        return f"Session({self.model!r})"

    def edits(self, edits: Edits) -> list[str]:
        """Edits as texts, such as ``27.fc_in:0.01``."""
        if edits is None:
            return []
        if isinstance(edits, Search):
            return edits.best
        if isinstance(edits, os.PathLike) or (isinstance(edits, str) and os.path.exists(edits)):
            return self._native.recipe(edits)
        return edit_words(edits)

    def evaluate(self, task: _tasks.TaskLike = None, edits: Edits = None, **options: Any) -> Evaluation:
        """Scores the model, edited, on a task: ``laser eval``."""
        words = self.edits(edits)
        with _tasks.named(task, options) as name:
            document = self._command("eval", {"task": name, "reduce": words, **options})
        return _results.evaluation(document, words)

    def search(self, task: _tasks.TaskLike, *, out: PathLike, strategy: str = "race", **options: Any) -> Search:
        """Searches for the edits that help most on a task, and judges them: ``laser search``. The RUN folder ``out`` is made,
        or resumed if it holds this very search.

        ``task`` is a name or file as the program takes them, ``lm_eval:NAME`` for a task of lm-evaluation-harness, or rows of a
        bare task: a list of dicts, a ``datasets.Dataset`` or a pandas frame. With ``scorer``, a function of a row and the
        generated text says what an answer is worth (see docs/python.md).
        """
        with _tasks.named(task, options) as name:
            document = self._command("search", {"task": name, "out": out, "strategy": strategy, **options})
        return _results.search(document)

    def verdict(self, run: PathLike | Search) -> Verdict:
        """The verdict on a finished search, from its RUN folder: ``laser verdict``."""
        return verdict(run)

    def apply(self, edits: Edits, out: PathLike, *, format: str = "hf", **options: Any) -> Applied:
        """Writes the edited model: ``laser apply``."""
        recipe = None
        if isinstance(edits, Search):
            recipe = edits.run
        elif isinstance(edits, os.PathLike) or (isinstance(edits, str) and os.path.exists(edits)):
            recipe = os.fspath(edits)
        what = {"recipe": recipe} if recipe is not None else {"reduce": self.edits(edits)}
        document = self._command("apply", {**what, "out": out, "format": format, **options})
        names = ("out", "format", "bytes_before", "bytes_after", "interventions")
        return Applied(**{name: document[name] for name in names}, document=document)

    def generate(self, prompt: str, edits: Edits = None, **options: Any) -> Generated:
        """What the model, edited, says to ``prompt``: ``laser chat --prompt``. ``raw`` continues the text as it is, also where
        the model has a chat template; ``max_tokens``, ``temperature`` and ``seed`` are as there.
        """
        words = self.edits(edits)
        document = self._command("chat", {"prompt": prompt, "reduce": words, **options})
        return Generated(document["text"], prompt, words, document["steps"], document)

    def _command(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        refuse_forked()
        found: dict[str, Any] = json.loads(self._native.command([name, *arguments(options)]))
        return found


def verdict(run: PathLike | Search) -> Verdict:
    """The verdict on a finished search, from its RUN folder alone: no model is needed."""
    refuse_forked()
    folder = run.run if isinstance(run, Search) else os.fspath(run)
    return _results.verdict(folder, json.loads(_native.verdict(folder)))


def demo(folder: PathLike) -> tuple[str, str]:
    """Puts a small model and its task into ``folder``, and gives their paths."""
    model, task = _native.demo_files(folder)
    return os.fspath(model), os.fspath(task)
