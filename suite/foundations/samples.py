"""Worker side. Inputs of the cases: numbers exact in the dtype, drawn by NumPy instead of the library under test."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.axes import CPU

Array = NDArray[np.float64]


def normal(
    *shape: int, seed: int, device: str, dtype: torch.dtype, requires_grad: bool = False
) -> Tensor:
    """Return normally distributed numbers (mean 0, standard deviation 1), rounded to `dtype`."""
    drawn = np.random.default_rng(seed).standard_normal(shape)
    return torch.from_numpy(drawn).to(device, dtype).requires_grad_(requires_grad)


def integers(
    *shape: int, low: int = -4, high: int = 4, seed: int, device: str, dtype: torch.dtype
) -> Tensor:
    """Return whole numbers from `low` to `high`, both included; every dtype represents those up to 256 exactly."""
    drawn = np.random.default_rng(seed).integers(low, high + 1, shape)
    return torch.from_numpy(drawn).to(device, dtype)


def array(tensor: Tensor) -> Array:
    """Return the tensor's numbers in float64, for a reference in NumPy."""
    return tensor.detach().to(CPU, torch.float64).numpy()
