"""LASER: find, judge and apply rank reductions that improve a trained transformer.

    from laser_rank import Session

    session = Session("SmolLM2-135M-Instruct.gguf")
    found = session.search("facts", out="run")
    print(found.verdict.word, found.best)
    session.apply(found, "edited")
"""

from ._native import Error, __version__
from ._results import Applied, Evaluation, Generated, Search, Verdict
from ._session import Session, demo, verdict
from ._torch import apply_to, from_torch

__all__ = [
    "Applied",
    "Error",
    "Evaluation",
    "Generated",
    "Search",
    "Session",
    "Verdict",
    "__version__",
    "apply_to",
    "demo",
    "from_torch",
    "verdict",
]
