"""Worker side. Optimizers: one row each, with their usual settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import torch
from torch.optim import Optimizer

OPTIMIZERS: Final[dict[str, Callable[..., Optimizer]]] = {
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "adam": partial(torch.optim.Adam, fused=True),
    "adamw": partial(torch.optim.AdamW, fused=True),
    # betas of Radford et al. 2015, section 4: with 0.9 a GAN oscillates
    "adam_gan": partial(torch.optim.Adam, betas=(0.5, 0.999), fused=True),
    "rmsprop": torch.optim.RMSprop,
}
"""Name -> constructor, called with parameters (or groups), `lr` and `weight_decay`. Fused: one kernel for all weights,
five times faster than one per weight on a small net."""

FUSED: Final = frozenset({"adam", "adamw", "adam_gan"})


def optimizer_for(
    name: str, parameters: Iterable[Any], *, learning_rate: float, weight_decay: float
) -> Optimizer:
    """Return the optimizer of that name; raises ValueError naming the known ones."""
    if name not in OPTIMIZERS:
        raise ValueError(f"Training.optimizer is {name!r}; expected one of {', '.join(OPTIMIZERS)}")
    parameters = list(parameters)
    more = {"fused": False} if name in FUSED and _any_complex(parameters) else {}
    return OPTIMIZERS[name](parameters, lr=learning_rate, weight_decay=weight_decay, **more)


def _any_complex(parameters: Iterable[Any]) -> bool:
    """Return True if a parameter, or one in the groups, is complex: fused kernels do not support complex types."""
    groups = (group["params"] if isinstance(group, dict) else [group] for group in parameters)
    return any(parameter.is_complex() for group in groups for parameter in group)
