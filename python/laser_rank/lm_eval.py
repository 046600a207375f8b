"""The model ``laser`` for lm-evaluation-harness. Importing this module registers it; on the command line

    python -m laser_rank.lm_eval --model laser --model_args pretrained=MODEL,recipe=RUN --tasks hellaswag

takes the harness's own arguments.
"""

from __future__ import annotations

import json
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.utils import simple_parse_args_string

from . import _lm_eval_task
from ._session import Session


@register_model("laser")
class LaserLM(LM):  # type: ignore[misc]
    """A model, as it is or edited, that this project's engine computes."""

    def __init__(
        self,
        pretrained: str | Session,
        recipe: str | None = None,
        reduce: str | None = None,
        device: str = "cpu",
        **options: Any,
    ) -> None:
        """``recipe`` is a RUN folder or its best.json; ``reduce`` edits as in ``9.fc_in:0.05 6.out_proj:0.01``."""
        super().__init__()
        # What the harness gives every model, and means nothing here.
        for name in ("batch_size", "max_batch_size", "dtype"):
            options.pop(name, None)
        # There is one GPU, by whichever name.
        device = "cuda" if device == "cuda:0" else device or "cpu"
        if not isinstance(pretrained, Session):
            pretrained = Session(pretrained, device=device, **options)
        self.session = pretrained
        self.words = self.session._native.recipe(recipe) if recipe else self.session.edits(reduce)

    @classmethod
    def create_from_arg_obj(cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None) -> LaserLM:
        # The harness gives a device of its own beside the one that was asked for: this one where nobody has asked.
        given = dict(additional_config or {})
        if given.get("device") == "cuda:0":
            given["device"] = "auto"
        return cls(**{**given, **arg_dict})

    @classmethod
    def create_from_arg_string(cls, arg_string: str, additional_config: dict[str, Any] | None = None) -> LaserLM:
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        return [(logprob, greedy) for logprob, greedy in self._ask(requests)]

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        return self._ask(requests)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        return self._ask(requests)

    def _ask(self, requests: list[Instance]) -> list[Any]:
        asked = [_lm_eval_task.request(request) for request in requests]
        found: list[Any] = json.loads(self.session._native.ask(self.words, json.dumps(asked)))
        return found


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
