"""Worker side. Convolution and pooling against loops over every output and every tap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from suite.foundations.answers import Evidence, close, exact
from suite.foundations.products import full_float32, product_roundings
from suite.foundations.samples import Array, array, integers, normal

SETTINGS: Final[tuple[dict[str, int], ...]] = (
    {},
    {"padding": 1},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"groups": 2, "padding": 1},
    {"groups": 4},
)


def convolved(
    x: Array,
    weight: Array,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Return the cross-correlation that deep learning calls convolution, one output and one tap at a time.

    x: (batch, channels, height, width); weight: (outputs, channels / groups, taps, taps).
    """
    batch, _, height, width = x.shape
    outputs, depth, taps, _ = weight.shape
    extents = [
        (side + 2 * padding - dilation * (taps - 1) - 1) // stride + 1 for side in (height, width)
    ]
    result = np.zeros((batch, outputs, *extents))
    for b, o, i, j in np.ndindex(*result.shape):
        first = o // (outputs // groups) * depth
        total = 0.0
        for c, k, m in product(range(depth), range(taps), range(taps)):
            row, column = i * stride + k * dilation - padding, j * stride + m * dilation - padding
            if 0 <= row < height and 0 <= column < width:
                total += float(x[b, first + c, row, column]) * float(weight[o, c, k, m])
        result[b, o, i, j] = total
    return result


@full_float32()
def convolution(device: str, dtype: torch.dtype) -> Evidence:
    """Check that convolutions with stride, padding, dilation and groups, forward and transposed, are the sums of their
    taps.
    """
    evidence: Evidence = {}
    whole = integers(1, 4, 5, 5, low=-2, high=2, seed=1, device=device, dtype=dtype)
    taps = integers(4, 4, 3, 3, low=-1, high=1, seed=2, device=device, dtype=dtype)
    x = normal(1, 4, 5, 5, seed=3, device=device, dtype=dtype)
    weight = normal(4, 4, 3, 3, seed=4, device=device, dtype=dtype)
    for setting in SETTINGS:
        depth = 4 // setting.get("groups", 1)
        name = ", ".join(f"{k} {v}" for k, v in setting.items()) or "plain"
        # At most 36 products of 2: whole numbers, though not to the last digit if the library transforms its input
        # first (Winograd, Fourier), which also costs some digits of the random ones: four times the error of a sum.
        expected = convolved(array(whole), array(taps[:, :depth]), **setting)
        got = _conv2d(whole, taps[:, :depth], setting).round()
        evidence |= exact(f"whole numbers, {name}", got, expected)
        numbers: dict[str, Any] = {
            "expected": convolved(array(x), array(weight[:, :depth]), **setting),
            "roundings": 4 * product_roundings(dtype, depth * 9),
            "scale": convolved(abs(array(x)), abs(array(weight[:, :depth])), **setting),
        }
        evidence |= close(name, _conv2d(x, weight[:, :depth], setting), **numbers)
    bias = integers(4, seed=5, device=device, dtype=dtype)
    plain = convolved(array(whole), array(taps)) + array(bias).reshape(1, 4, 1, 1)
    evidence |= exact("bias", functional.conv2d(whole, taps, bias).round(), plain)
    return evidence | _forms(device, dtype)


def _conv2d(x: Tensor, weight: Tensor, setting: Mapping[str, Any]) -> Tensor:
    return functional.conv2d(x, weight, **setting)


def _forms(device: str, dtype: torch.dtype) -> Evidence:
    """Check one and three dimensions and the transposed form against figures derived by hand."""
    row = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]], device=device, dtype=dtype)
    taps = torch.tensor([[[1.0, 0.0, -2.0]]], device=device, dtype=dtype)
    cube = torch.ones(1, 1, 3, 3, 3, device=device, dtype=dtype)
    square = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], device=device, dtype=dtype)
    padded = [[[-4, -5, -6, 3]]]
    answers: dict[str, tuple[Tensor, Any]] = {
        "one dimension": (functional.conv1d(row, taps), [[[-5, -6]]]),
        "one dimension, padded": (functional.conv1d(row, taps, padding=1), padded),
        "same extent": (functional.conv1d(row, taps, padding="same"), padded),
        "three dimensions": (
            functional.conv3d(cube, cube[:, :, :2, :2, :2]),
            np.full((1, 1, 2, 2, 2), 8),
        ),
        # Every input adds its multiple of the taps: 1, 2, 3 - 2 and so on.
        "transposed": (functional.conv_transpose1d(row, taps), [[[1, 2, 1, 0, -6, -8]]]),
        "transposed, stride 2": (
            functional.conv_transpose2d(square, square.flip(3), stride=2),
            [[[[2, 1, 4, 2], [4, 3, 8, 6], [6, 3, 8, 4], [12, 9, 16, 12]]]],
        ),
    }
    evidence: Evidence = {}
    for name, (got, expected) in answers.items():
        evidence |= exact(name, got.round(), expected)
    return evidence


def pooling(device: str, dtype: torch.dtype) -> Evidence:
    """Check that pooling takes the maximum or the mean of each window; padding is never the maximum."""
    x = torch.arange(16, device=device, dtype=dtype).view(1, 1, 4, 4) - 15
    blocks = [[[[-10, -8], [-2, 0]]]]
    values, places = functional.max_pool2d(x, 2, return_indices=True)
    return (
        exact("max", values, blocks)
        | exact("places", places, [[[[5, 7], [13, 15]]]])
        | exact(
            "max, padded",
            functional.max_pool2d(x, 3, stride=2, padding=1),
            [[[[-10, -8], [-2, 0]]]],
        )
        | exact("mean", functional.avg_pool2d(x, 2), [[[[-12.5, -10.5], [-4.5, -2.5]]]])
        | exact(
            "mean, padding counted",
            functional.avg_pool2d(x[..., :2, :2], 2, stride=2, padding=1),
            [[[[-3.75, -3.5], [-2.75, -2.5]]]],
        )
        | exact("adaptive mean", functional.adaptive_avg_pool2d(x, 1), [[[[-7.5]]]])
        | exact("global max", functional.adaptive_max_pool2d(x, 1), [[[[0]]]])
        | exact(
            "nearest",
            functional.interpolate(x[..., :1, :2], scale_factor=2.0),
            [[[[-15, -15, -14, -14]] * 2]],
        )
        | exact(
            "max of nothing but -inf",
            functional.max_pool2d(torch.full_like(x, -math.inf), 4),
            [[[[-math.inf]]]],
        )
    )
