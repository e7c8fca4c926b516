"""Worker side. Normalization layers against their formulas; batch statistics in training, running ones in eval."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import nn

from suite.foundations.answers import Evidence, close, exact, refused, same
from suite.foundations.samples import array, normal

EPS: Final = 1e-5
"""The layers' default."""


def batch_norm(device: str, dtype: torch.dtype) -> Evidence:
    """Check that training uses the biased batch variance and tracks the unbiased one, which evaluation uses."""
    layer = nn.BatchNorm2d(3, device=device, dtype=dtype)
    scale = torch.tensor([1.0, 2.0, 0.5], device=device, dtype=dtype)
    shift = torch.tensor([0.0, -1.0, 4.0], device=device, dtype=dtype)
    layer.weight, layer.bias = nn.Parameter(scale), nn.Parameter(shift)
    x = normal(4, 3, 5, 5, seed=1, device=device, dtype=dtype) * 2 + 1
    numbers = array(x)
    count = numbers.size // 3
    mean, biased = numbers.mean((0, 2, 3)), numbers.var((0, 2, 3))
    kept_mean, kept_var = 0.1 * mean, 0.9 + 0.1 * biased * count / (count - 1)
    row = (1, 3, 1, 1)
    gain, offset = array(scale).reshape(row), array(shift).reshape(row)
    largest = abs(numbers).max() * gain + abs(offset)

    def normalized(center: Any, variance: Any) -> Any:
        return (numbers - center.reshape(row)) / np.sqrt(
            variance.reshape(row) + EPS
        ) * gain + offset

    # Statistics in float32, two of them rounded; difference, quotient, gain and shift.
    rounding: dict[str, Any] = {"roundings": 8, "scale": largest + np.zeros(numbers.shape)}
    evidence = close("training", layer(x), normalized(mean, biased), **rounding)
    evidence |= close("kept mean", _buffer(layer, "running_mean"), kept_mean, roundings=8, scale=1)
    evidence |= close("kept variance", _buffer(layer, "running_var"), kept_var, roundings=8)
    evidence |= exact("batches seen", _buffer(layer, "num_batches_tracked"), 1)
    layer.eval()
    before = [_buffer(layer, name).clone() for name in ("running_mean", "running_var")]
    # From the running statistics, which are rounded.
    expected = normalized(array(before[0]), array(before[1]))
    evidence |= close("evaluation", layer(x), expected, **rounding)
    evidence |= exact("evaluation keeps the mean", _buffer(layer, "running_mean"), before[0])
    evidence |= exact("evaluation keeps the variance", _buffer(layer, "running_var"), before[1])
    evidence |= close(
        "evaluation, one sample alone",
        layer(x[:1]),
        expected[:1],
        roundings=8,
        scale=rounding["scale"][:1],
    )
    average = nn.BatchNorm1d(1, momentum=None, device=device, dtype=dtype)
    for numbers_seen in ([1.0, 3.0], [5.0, 7.0]):
        average(torch.tensor(numbers_seen, device=device, dtype=dtype).view(2, 1))
    alone = torch.ones(1, 1, device=device, dtype=dtype)
    return (
        evidence
        # Without momentum the plain mean of (2, 2) and (6, 2).
        | close("cumulative mean", _buffer(average, "running_mean"), [4], roundings=2)
        | close("cumulative variance", _buffer(average, "running_var"), [2], roundings=2)
        | same("frozen by evaluation", average.eval().training, False)
        | refused("training on one value", ValueError, lambda: average.train()(alone))
    )


def other_norms(device: str, dtype: torch.dtype) -> Evidence:
    """Check layer, group, instance and RMS normalization against their formulas over their own axes."""
    x = normal(2, 4, 6, seed=2, device=device, dtype=dtype) * 2 + 1
    numbers = array(x)

    def standard(axes: tuple[int, ...], values: Any) -> Any:
        center = values.mean(axes, keepdims=True)
        return (values - center) / np.sqrt(values.var(axes, keepdims=True) + EPS)

    grouped = standard((2, 3), numbers.reshape(2, 2, 2, 6)).reshape(2, 4, 6)
    root = np.sqrt((numbers**2).mean(2, keepdims=True) + EPS)
    scale = np.full(numbers.shape, abs(numbers).max())
    functional = nn.functional
    gain = torch.tensor([1.0, 2.0, 0.5, 4.0, 1.0, 2.0], device=device, dtype=dtype)
    by_gain = functional.layer_norm(x, (6,), gain, gain)
    constant = torch.full((1, 6), 3.0, device=device, dtype=dtype)
    return (
        close(
            "layer",
            functional.layer_norm(x, (6,)),
            standard((2,), numbers),
            roundings=6,
            scale=scale,
        )
        | close(
            "layer, two axes",
            functional.layer_norm(x, (4, 6)),
            standard((1, 2), numbers),
            roundings=6,
            scale=scale,
        )
        | close(
            "layer, gain and shift",
            by_gain,
            (standard((2,), numbers) + 1) * array(gain),
            roundings=8,
            scale=scale * array(gain),
        )
        | close("group", functional.group_norm(x, 2), grouped, roundings=6, scale=scale)
        | close(
            "instance",
            functional.instance_norm(x),
            standard((2,), numbers),
            roundings=6,
            scale=scale,
        )
        | close(
            "RMS", functional.rms_norm(x, (6,), eps=EPS), numbers / root, roundings=6, scale=scale
        )
        | exact("a constant row", functional.layer_norm(constant, (6,)), np.zeros((1, 6)))
    )


def _buffer(layer: nn.Module, name: str) -> torch.Tensor:
    return layer.get_buffer(name)
