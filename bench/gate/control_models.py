"""Models with known differences, for the self-test of the gate; a models file like a user's."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from suite.spec import ModelSpec, Size

UNITS: Final = 20
"""Equal units of work in a forward pass: one more of them is 5% more work."""
ALLOCATION: Final = 200_000_000
"""Bytes that `greedy` allocates and frees in every pass."""
LEAK: Final = 1_000_000
"""Bytes that `leaky` keeps in every pass."""
WIDTH: Final = 1000
WIDER: Final = 1030
"""Columns of `narrow` and `wide`: 3% more parameters."""

WORKLOADS: Final = {
    "dispatch": "many small operators: the time is Python's and PyTorch's own",
    "compute": "matrix products that fill the arithmetic units",
    "memory": "sums over tensors that no cache holds",
}
"""Kind of work -> what it represents."""


def build_work(*, kind: str, units: int) -> Any:
    """Build a net whose forward pass does `units` equal units of work of that kind."""
    import torch
    from torch import Tensor, nn

    generator = torch.Generator().manual_seed(0)
    side = {"dispatch": 16, "compute": 256, "memory": 1024}[kind]
    matrix = torch.rand(side, side, generator=generator)

    class Work(nn.Module):
        matrix: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("matrix", matrix)

        def forward(self, x: Tensor) -> Tensor:
            total = x.new_zeros(())
            for _ in range(units):
                if kind == "memory":
                    total = total + self.matrix.sum()
                elif kind == "compute":
                    total = total + (self.matrix @ self.matrix)[0, 0]
                else:
                    total = total + torch.relu(self.matrix + 1.0)[0, 0]
            return x.flatten(1)[:, :10] + 0 * total

    return Work()


def build_memory(*, kind: str) -> Any:
    """Build a net that allocates and frees ALLOCATION bytes (greedy), leaks LEAK bytes (leaky), or neither (modest)."""
    import torch
    from torch import Tensor, nn

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kept: list[Tensor] = []

        def forward(self, x: Tensor) -> Tensor:
            if kind == "greedy":
                taken = torch.ones(ALLOCATION // 4)
                del taken
            if kind == "leaky":
                self.kept.append(torch.ones(LEAK // 4))
            return x.flatten(1)[:, :10] + 0

    return Holder()


def build_wide(*, columns: int) -> Any:
    """Build a net of one linear layer with that many columns."""
    from torch import Tensor, nn

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(16, columns)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.layer(x.flatten(1)[:, :16])[:, :10]
            return found

    return Wide()


def _spec(name: str, build: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        family="control",
        task="image_classification",
        build=build,
        sizes={"tiny": Size(inputs={"side": 8, "channels": 1, "classes": 10})},
        outputs=("logits",),
    )


def work_name(kind: str, more: int = 0) -> str:
    """Return the control model's name: `compute`, `compute-plus-5`."""
    return f"{kind}-plus-{more}" if more else kind


MODELS = (
    *(
        _spec(
            work_name(kind, more),
            partial(build_work, kind=kind, units=UNITS * (100 + more) // 100),
        )
        for kind in WORKLOADS
        for more in (0, 5, 10)
    ),
    *(_spec(name, partial(build_memory, kind=name)) for name in ("modest", "greedy", "leaky")),
    _spec("narrow", partial(build_wide, columns=WIDTH)),
    _spec("wide", partial(build_wide, columns=WIDER)),
)
