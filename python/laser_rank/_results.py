"""What commands give, as dataclasses. ``document`` is the program's own JSON, whole."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _native

if TYPE_CHECKING:
    import pandas

Document = dict[str, Any]


def _frame(rows: list[Document]) -> pandas.DataFrame:
    try:
        import pandas
    except ImportError:
        raise ImportError("there is no pandas in this environment: pip install 'laser-rank[pandas]'") from None
    return pandas.DataFrame(rows)


def edit_texts(edits: list[Document]) -> list[str]:
    """``{"layer": 1, "matrix": "fc_in", "rho": 0.02}`` as ``1.fc_in:0.02``."""
    return _native.edit_texts(json.dumps(edits))


def _page(run: str) -> str:
    """The summary of a RUN folder, in a frame of its own: its styles touch nothing else."""
    page = html.escape(_native.summary_page(run), quote=True)
    return (
        f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="width:100%;height:680px;border:0" '
        f'title="LASER: {html.escape(run)}"></iframe>'
    )


@dataclass(frozen=True)
class Evaluation:
    """A model's score on a task."""

    task: str | None
    edits: list[str]
    n: int
    accuracy: float | None
    log_loss: float | None
    #: Of a 95 % interval of the accuracy.
    accuracy_interval: tuple[float, float] | None
    #: What the task's file asks for, under the names of lm-evaluation-harness.
    metrics: dict[str, float]
    #: Of the text, if one was measured.
    perplexity: float | None
    #: What each example gave.
    examples: list[Document] = field(repr=False)
    document: Document = field(repr=False)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each example."""
        return _frame(self.examples)

    def _repr_html_(self) -> str:
        rows: list[tuple[str, Any]] = [("task", self.task), ("edits", " ".join(self.edits) or "none"), ("examples", self.n)]
        rows += [("accuracy", self.accuracy), ("log-loss", self.log_loss), ("perplexity", self.perplexity)]
        rows += list(self.metrics.items())
        shown = [(name, f"{value:.4f}" if isinstance(value, float) else value) for name, value in rows if value is not None]
        cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in shown)
        return f"<table>{cells}</table>"


@dataclass(frozen=True)
class Verdict:
    """Whether the gain of a search's best edits is real."""

    run: str
    #: For example ``real``.
    word: str
    #: Why, in a sentence.
    because: str
    edits: list[str]
    #: Accuracy and log-loss of the unedited model on test, with 95 % intervals.
    base: Document = field(repr=False)
    #: The same of the edited model.
    edited: Document = field(repr=False)
    document: Document = field(repr=False)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each model and split."""
        sides = {"base": self.document["base"], "edited": self.document["edited"]}
        scores = [(model, split, side[split]) for model, side in sides.items() for split in ("validation", "test")]
        rows = []
        for model, split, score in scores:
            row: Document = {"model": model, "split": split, "n": score["n"]}
            for name in ("accuracy", "log_loss"):
                interval = score[f"{name}_interval"]
                row |= {name: score[name], f"{name}_low": interval["low"], f"{name}_high": interval["high"]}
            rows.append(row)
        return _frame(rows)

    def _repr_html_(self) -> str:
        return _page(self.run)


@dataclass(frozen=True)
class Search:
    """What a search found."""

    #: The RUN folder.
    run: str
    #: The best edits.
    best: list[str]
    verdict: Verdict
    #: Candidates that no other beats in both gain and cost.
    front: list[Document] = field(repr=False)
    document: Document = field(repr=False)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each candidate that was scored, on each split or a part of it."""
        return _frame(json.loads(_native.candidates(self.run)))

    def _repr_html_(self) -> str:
        return _page(self.run)


@dataclass(frozen=True)
class Applied:
    """An edited model that was written."""

    out: str
    format: str
    bytes_before: int
    bytes_after: int
    #: What each edit did.
    interventions: list[Document] = field(repr=False)
    document: Document = field(repr=False)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each edit."""
        return _frame(self.interventions)


@dataclass(frozen=True)
class Generated:
    """What a model says."""

    text: str
    prompt: str
    edits: list[str]
    #: Each token, and the likeliest ones in its place.
    steps: list[Document] = field(repr=False)
    document: Document = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each token."""
        return _frame(self.steps)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.prompt)}<b>{html.escape(self.text)}</b></p>"


def evaluation(document: Document, edits: list[str]) -> Evaluation:
    """From what ``laser eval --json`` prints, with its examples."""
    interval = document.get("accuracy_interval")
    text = document.get("text") or {}
    return Evaluation(
        task=document.get("task"),
        edits=edits,
        n=document.get("n", 0),
        accuracy=document.get("accuracy"),
        log_loss=document.get("log_loss"),
        accuracy_interval=(interval["low"], interval["high"]) if interval else None,
        metrics=document.get("metrics", {}),
        perplexity=text.get("perplexity"),
        examples=document.pop("examples", []),
        document=document,
    )


def verdict(run: str, document: Document) -> Verdict:
    """From what ``laser verdict --json`` prints."""
    return Verdict(
        run=run,
        word=document["word"],
        because=document["because"],
        edits=edit_texts(document["best"]),
        base=document["base"]["test"],
        edited=document["edited"]["test"],
        document=document,
    )


def search(document: Document) -> Search:
    """From what ``laser search --json`` prints."""
    run = document["run"]
    found = verdict(run, document["verdict"])
    return Search(run=run, best=found.edits, verdict=found, front=document["front"], document=document)
