"""The classes of this folder's model, for transformers (`trust_remote_code=True`).

`laser apply --format hf-factored` wrote this file. The model is transformers' own, except that some of
its matrices are two thin ones each: those that `config.laser` lists.
"""

import torch
from torch import nn
from transformers import FamilyBase, FamilyWithHead


class LowRankLinear(nn.Sequential):
    """A matrix of low rank: y = factor_out(factor_in(x)), two plain linear layers."""

    def __init__(self, inputs, outputs, rank, bias, **where):
        super().__init__()
        self.add_module("factor_in", nn.Linear(inputs, rank, bias=False, **where))
        self.add_module("factor_out", nn.Linear(rank, outputs, bias=bias, **where))

    @property
    def weight(self):
        # Families look at it for its type and place, and where they initialise weights.
        return self.factor_out.weight


class PartedLinear(nn.Module):
    """Matrices that the unedited model keeps in one, such as queries, keys and values, side by side."""

    def __init__(self, inputs, parts, heads, bias, **where):
        super().__init__()
        self.heads = heads
        for part in parts:
            self.add_module(part["name"], linear(inputs, part["rows"], part["rank"], bias, **where))

    @property
    def weight(self):
        return next(self.children()).weight

    def forward(self, x):
        outputs = [part(x) for part in self.children()]
        if self.heads is not None:
            # The unedited matrix has the first head's rows of each part, then those of the second ...
            outputs = [output.unflatten(-1, (self.heads, -1)) for output in outputs]
            return torch.cat(outputs, dim=-1).flatten(-2)
        return torch.cat(outputs, dim=-1)


def linear(inputs, outputs, rank, bias, **where):
    if rank is None:
        return nn.Linear(inputs, outputs, bias=bias, **where)
    return LowRankLinear(inputs, outputs, rank, bias, **where)


def factored(old, module):
    """What stands in place of the layer `old`."""
    weight = old.weight
    # transformers' Conv1D keeps its weight as [inputs, outputs].
    inputs, outputs = (weight.shape[1], weight.shape[0]) if isinstance(old, nn.Linear) else tuple(weight.shape)
    bias = getattr(old, "bias", None) is not None
    where = {"device": weight.device, "dtype": weight.dtype}
    if "parts" in module:
        return PartedLinear(inputs, module["parts"], module["heads"], bias, **where)
    return LowRankLinear(inputs, outputs, module["rank"], bias, **where)


class Factored:
    """Replaces layers after the family's own class has made them."""

    @classmethod
    def is_custom_code(cls):
        # Other tensors have the family's own names: what transformers converts there, it converts here.
        return False

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        for name, module in config.laser["modules"].items():
            parent, _, last = name.rpartition(".")
            parent = self.base_model.get_submodule(parent)
            setattr(parent, last, factored(getattr(parent, last), module))
            # A class of its own: who looks at one instance to treat all of its class alike, as vLLM does where it
            # fuses sibling layers, must not take this one for the others.
            kind = type(parent)
            parent.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__})


class LaserModel(Factored, FamilyBase):
    pass


class LaserWithHead(Factored, FamilyWithHead):
    pass


try:
    from transformers import conversion_mapping
except ImportError:  # before transformers 5
    conversion_mapping = None
if conversion_mapping is not None:
    # Where tensors get new names by the name of the family's class, they get them here, too.
    for own, family in ((LaserModel, FamilyBase), (LaserWithHead, FamilyWithHead)):
        renamed = conversion_mapping.get_checkpoint_conversion_mapping(family.__name__)
        if renamed is not None:
            conversion_mapping.register_checkpoint_conversion_mapping(own.__name__, renamed, overwrite=True)
