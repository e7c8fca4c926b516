"""Worker side. Modes: losses, without side effects, of models that compute them only in train mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

CHANGING: Final = (_NormBase, _DropoutNd)
"""Modules that behave differently in train mode: they update statistics or draw random numbers."""


@contextmanager
def losses_computed(module: nn.Module) -> Iterator[None]:
    """Put `module` into train mode within the block, for models that only then compute losses.

    A module already in train mode is left alone. Of one in eval mode, normalization and dropout stay in eval mode,
    random numbers come from a fixed seed, and every submodule's mode is restored afterwards.
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
