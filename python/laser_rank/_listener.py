"""Who hears of progress: tqdm, if it is there and somebody looks, and logging."""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import Any

LOGGER = logging.getLogger("laser_rank")


def _bar() -> Any:
    """tqdm's class, or None."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


def _somebody_looks() -> bool:
    """At a terminal, or at a notebook that can draw bars."""
    in_notebook = "ipykernel" in sys.modules and importlib.util.find_spec("ipywidgets") is not None
    return sys.stderr.isatty() or in_notebook


class Listener:
    """Shows progress as a bar, and passes notes to the logger ``laser_rank``."""

    def __init__(self, progress: bool | None) -> None:
        shown = progress if progress is not None else _somebody_looks()
        self._class = _bar() if shown else None
        self._bar: Any = None

    def start(self, what: str, total: int, done: int) -> None:
        self.finish()
        if self._class is not None:
            self._bar = self._class(total=total, initial=done, desc=what, leave=False)

    def advance(self, steps: int) -> None:
        if self._bar is not None:
            self._bar.update(steps)

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def best(self, text: str) -> None:
        LOGGER.debug("best so far: %s", text)
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def note(self, text: str) -> None:
        LOGGER.warning("%s", text)
