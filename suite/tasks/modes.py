"""Worker side. Modes: losses of models that compute them in train mode alone, without a trace of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

CHANGING: Final = (_NormBase, _DropoutNd)
"""Modules that act differently in train mode: they move their statistics or draw random numbers."""


@contextmanager
def losses_computed(module: nn.Module) -> Iterator[None]:
    """Within the block `module` is in train mode, so that it computes its losses.

    One in train mode is left alone. One in eval mode keeps its normalization and dropout in eval mode, its random
    numbers come from a fixed seed, and afterwards every part is in the mode that it was in.
    """
    if module.training:
        yield
        return
    modes = [(part, part.training) for part in module.modules()]
    devices = sorted({p.device.index or 0 for p in module.parameters() if p.is_cuda})
    for part, _ in modes:
        part.training = not isinstance(part, CHANGING)
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            yield
    finally:
        for part, mode in modes:
            part.training = mode
