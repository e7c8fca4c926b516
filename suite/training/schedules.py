"""Worker side. Learning-rate schedules: the factor on the learning rate at each step, one row each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

SCHEDULES: Final[dict[str, Callable[[float], float]]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: (1.0 + math.cos(math.pi * progress)) / 2,
}
"""Name -> factor as a function of the completed share (0..1) of the steps after warm-up."""


def factor(name: str, step: int, steps: int, warmup: float) -> float:
    """Return the factor for step `step` (from 0) of `steps`: a linear rise over the share `warmup`, then the schedule.

    Never 0: a last step without effect would look like a missing one. Raises ValueError for an unknown name.
    """
    if name not in SCHEDULES:
        raise ValueError(f"Training.schedule is {name!r}; expected one of {', '.join(SCHEDULES)}")
    rise = round(steps * warmup)
    if step < rise:
        return (step + 1) / rise
    progress = (step - rise) / max(1, steps - rise)
    return max(0.01, SCHEDULES[name](min(1.0, progress)))
