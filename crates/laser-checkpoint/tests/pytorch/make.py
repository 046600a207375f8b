"""Makes the fixtures in this folder again: python make.py (PyTorch 2; the values do not depend on the version)."""

import os
from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent


def tensors():
    grid = torch.arange(12, dtype=torch.float32).reshape(3, 4) - 5.5
    cube = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    embedding = torch.arange(10, dtype=torch.float16).reshape(5, 2) / 4
    return OrderedDict(
        f32=grid,
        f16=grid.to(torch.float16),
        bf16=grid.to(torch.bfloat16),
        # One storage, seen in several ways.
        transposed=grid.t(),
        offset=grid[1:],
        corner=grid[1:, 2:],
        permuted=cube.permute(2, 0, 1),
        every_second=cube[:, ::2, 1:3],
        **{"embed.weight": embedding, "head.weight": embedding},
        parameter=torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.bfloat16)),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        i64=torch.arange(3).expand(1, -1),
        mask=torch.tensor([[True, False]]),
        f64=torch.tensor([1.5], dtype=torch.float64),
        steps=7,
        rate=0.5,
    )


class Evil:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def main():
    state = tensors()
    state._metadata = OrderedDict({"": {"version": 1}})
    evil = OrderedDict(weight=torch.zeros(2), evil=Evil())
    for name, legacy in [("zip", False), ("legacy", True)]:
        save = lambda value, kind: torch.save(
            value, HERE / f"{kind}-{name}.bin", _use_new_zipfile_serialization=not legacy
        )
        save(state, "tensors")
        save(evil, "evil")
        save({"epoch": 3, "state_dict": {"weight": torch.zeros(2)}}, "nested")
    torch.save(dict(state), HERE / "protocol4-zip.bin", pickle_protocol=4)
    linear = torch.nn.Linear(2, 2)
    torch.save(linear, HERE / "module-zip.bin")


if __name__ == "__main__":
    main()
