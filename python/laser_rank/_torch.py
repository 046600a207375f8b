"""Live transformers models: edited in place, or opened from memory. Needs torch, transformers and safetensors."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from . import _native
from ._native import Error
from ._results import Search
from ._session import Edits, Session, edit_words, refuse_forked


def _saved(module: Any, folder: str, tokenizer: Any) -> None:
    """The module as a Hugging Face folder, under the names that its files have."""
    if not hasattr(module, "save_pretrained"):
        raise TypeError(f"an object of type {type(module).__name__} is not a transformers model: give a PreTrainedModel")
    module.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)


def from_torch(module: Any, tokenizer: Any, **options: Any) -> Session:
    """A session of a transformers model that is in memory, with its tokenizer. The model's values are copied: what becomes of
    ``module`` later does not touch the session. ``options`` are those of :class:`Session`.
    """
    # The engine maps the files: they are there as long as the session is.
    folder = tempfile.TemporaryDirectory(prefix="laser-rank-")
    _saved(module, folder.name, tokenizer)
    session = Session(folder.name, **options)
    session._kept = folder
    return session


def apply_to(module: Any, recipe: Edits) -> list[str]:
    """Edits a transformers model in place, so that any other program's evaluation can be pointed at it; gives the edits.

    ``recipe`` is what a search found, its RUN folder, its ``best.json``, or edits as text. That it was found for this very
    model cannot be checked in memory: only whether it fits.
    """
    try:
        import torch
    except ImportError:
        raise ImportError("there is no torch in this environment: pip install 'laser-rank[torch]'") from None

    refuse_forked()
    edits = _edits(recipe)
    with tempfile.TemporaryDirectory(prefix="laser-rank-") as folder:
        before, after = (os.path.join(folder, name) for name in ("before", "after"))
        _saved(module, before, None)
        _native.write_weights(before, edits, after)
        own = module.state_dict()
        changed = dict(_changed(before, after))
        if not changed.keys() <= own.keys():
            # The module names its tensors otherwise than its files do: transformers knows how.
            edited = type(module).from_pretrained(after, dtype=module.dtype).state_dict()
            changed = {name: edited[name] for name, value in own.items() if not torch.equal(value.cpu(), edited[name])}
        with torch.no_grad():
            for name, value in changed.items():
                own[name].copy_(value)
    return edits


def _changed(before: str, after: str) -> Iterator[tuple[str, Any]]:
    """The tensors of two folders that differ, by name, as in the second."""
    import torch
    from safetensors import safe_open

    for name in sorted(os.listdir(after)):
        if not name.endswith(".safetensors"):
            continue
        paths = [os.path.join(folder, name) for folder in (before, after)]
        with safe_open(paths[0], framework="pt") as old, safe_open(paths[1], framework="pt") as new:
            for key in new.keys():
                value = new.get_tensor(key)
                if not torch.equal(old.get_tensor(key), value):
                    yield key, value


def _edits(recipe: Edits) -> list[str]:
    if recipe is None:
        return []
    if isinstance(recipe, Search):
        return recipe.best
    if not isinstance(recipe, os.PathLike) and not (isinstance(recipe, str) and os.path.exists(recipe)):
        return edit_words(recipe)
    path = os.path.join(recipe, "best.json") if os.path.isdir(recipe) else os.fspath(recipe)
    try:
        with open(path, encoding="utf-8") as file:
            return _native.edit_texts(json.dumps(json.load(file)["interventions"]))
    except OSError as error:
        raise Error(f"{path}: the recipe cannot be read: {error.strerror}: give a finished search's RUN folder") from None
    except (ValueError, LookupError, TypeError):
        raise Error(f"{path}: this is not a recipe: give the best.json of a RUN folder") from None
