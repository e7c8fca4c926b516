"""Worker side. Creation of tensors: constructors, conversions, shapes, broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.foundations.answers import Evidence, close, exact, refused, roundoff, same


def creation(device: str, dtype: torch.dtype) -> Evidence:
    """Check that constructors return the requested numbers, shape, dtype and device."""
    on: dict[str, Any] = {"device": device, "dtype": dtype}
    given = np.array([[1.5, -2.0], [0.25, 8.0]], dtype=np.float32)
    x = torch.full((2, 3), 2.5, **on)
    kind = x.device.type
    evidence = (
        exact("zeros", torch.zeros(2, 3, **on), [[0, 0, 0], [0, 0, 0]])
        | exact("ones", torch.ones(4, **on), [1, 1, 1, 1])
        | exact("full", x, [[2.5, 2.5, 2.5], [2.5, 2.5, 2.5]])
        | exact("eye", torch.eye(2, 3, **on), [[1, 0, 0], [0, 1, 0]])
        | exact("arange", torch.arange(5, **on), [0, 1, 2, 3, 4])
        | exact("arange with a step", torch.arange(1, 2, 0.25, **on), [1, 1.25, 1.5, 1.75])
        | exact("arange downwards", torch.arange(10, 0, -3, **on), [10, 7, 4, 1])
        | exact("linspace", torch.linspace(-1, 1, 5, **on), [-1, -0.5, 0, 0.5, 1])
        | exact("linspace ends", torch.linspace(0, 0.75, 7, **on)[[0, -1]], [0, 0.75])
        # The step, its multiple and the sum are rounded.
        | close(
            "linspace in sevenths",
            torch.linspace(0, 1, 8, **on),
            [i / 7 for i in range(8)],
            roundings=3,
            scale=1,
        )
        | exact("tensor", torch.tensor([[1.5, -2], [0, 4]], **on), [[1.5, -2], [0, 4]])
        | exact("from numpy", torch.from_numpy(given).to(**on), given)
        | exact("zeros_like", torch.zeros_like(x), [[0, 0, 0], [0, 0, 0]])
        | exact("new_full", x.new_full((2,), 7.0), [7, 7])
        | exact("tril", torch.ones(3, 3, **on).tril(), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
        | exact("diag", torch.diag(torch.tensor([3.0, 5.0], **on)), [[3, 0], [0, 5]])
        | same("a list of whole numbers", torch.tensor([1, 2], device=device).dtype, torch.int64)
        | same("a list of truths", torch.tensor([True], device=device).dtype, torch.bool)
        | same("arange of whole numbers", torch.arange(3, device=device).dtype, torch.int64)
        | same(
            "dtypes",
            [str(t.dtype) for t in (x, torch.zeros_like(x), x.new_full((1,), 1.0))],
            [str(dtype)] * 3,
        )
        | same(
            "devices",
            [t.device.type for t in (x, torch.zeros_like(x), torch.eye(2, **on))],
            [kind] * 3,
        )
    )
    shared = torch.from_numpy(given)
    copied = torch.tensor(given)
    given[0, 0] = 9.0
    return (
        evidence
        | exact("from_numpy shares memory", shared[0, :1], [9])
        | exact("tensor copies", copied[0, :1], [1.5])
    )


def casting(device: str, dtype: torch.dtype) -> Evidence:
    """Check that conversion rounds to the nearest number, ties to even, and to whole numbers towards zero."""
    u = roundoff(dtype)
    ties = torch.tensor([1 + u, 1 + 3 * u, 1 + 1.5 * u, 1 - u / 2], dtype=torch.float64)
    whole = torch.tensor([1.75, -1.75, 0.5, -0.5], device=device, dtype=dtype)
    huge = float(torch.finfo(dtype).max)
    x = torch.ones(2, device=device, dtype=dtype)
    return (
        # 1 + u lies between 1 and 1 + 2u, 1 + 3u between 1 + 2u and 1 + 4u; 1 - u/2 between 1 - u and 1.
        exact("ties to even", ties.to(device).to(dtype), [1, 1 + 4 * u, 1 + 2 * u, 1])
        | exact("towards zero", whole.to(torch.int64), [1, -1, 0, 0])
        | exact("truth", whole.bool(), [1, 1, 1, 1])
        | exact("overflow", torch.tensor([2.0 * huge], device=device).to(dtype), [np.inf])
        | exact("largest", torch.tensor([huge], device=device, dtype=dtype), [huge])
        | same("with float64", (x + x.double()).dtype, torch.float64)
        | same("with whole numbers", (x + x.long()).dtype, dtype)
        | same("with a number", (x * 2.5).dtype, dtype)
        | same("of whole numbers by division", (x.long() / 2).dtype, torch.get_default_dtype())
        | exact("negative division", torch.tensor([-7], device=device) // 2, [-4])
    )


def shapes(device: str, dtype: torch.dtype) -> Evidence:
    """Check that views share memory and copies do not; joining and splitting keep the order."""
    x = torch.arange(6, device=device, dtype=dtype)
    rows = x.view(2, 3)
    turned = rows.T
    copied = turned.contiguous()
    evidence = (
        exact("view", rows, [[0, 1, 2], [3, 4, 5]])
        | exact("transpose", turned, [[0, 3], [1, 4], [2, 5]])
        | same(
            "strides", [rows.stride(), turned.stride(), copied.stride()], [(3, 1), (1, 3), (2, 1)]
        )
        | exact("reshape of a transpose", turned.reshape(-1), [0, 3, 1, 4, 2, 5])
        | exact("permute", x.view(1, 2, 3).permute(2, 0, 1), [[[0, 3]], [[1, 4]], [[2, 5]]])
        | exact("cat", torch.cat([rows, rows[:1]]), [[0, 1, 2], [3, 4, 5], [0, 1, 2]])
        | exact("stack", torch.stack([x[:2], x[2:4]], dim=1), [[0, 2], [1, 3]])
        | exact("chunk", x.chunk(4)[-1], [4, 5])
        | exact("split", torch.split(x, [1, 2, 3])[1], [1, 2])
        | exact("repeat", x[:2].repeat(2), [0, 1, 0, 1])
        | exact("repeat_interleave", x[:2].repeat_interleave(2), [0, 0, 1, 1])
        | refused("a view across strides", RuntimeError, lambda: turned.view(-1))
        | refused("a shape of another size", RuntimeError, lambda: x.reshape(4, 2))
    )
    cloned = rows.clone()
    rows[0, 0] = 7
    return (
        evidence
        | exact("written through a view", x[:1], [7])
        | exact("and its transpose", turned[0, :1], [7])
        | exact("not to a clone", torch.stack([cloned[0, 0], copied[0, 0]]), [0, 0])
    )


def broadcasting(device: str, dtype: torch.dtype) -> Evidence:
    """Check that axes of extent 1 broadcast from the right, without copies, and that other extents raise."""
    row = torch.tensor([1.0, 2.0, 3.0], device=device, dtype=dtype)
    column = torch.tensor([[10.0], [20.0]], device=device, dtype=dtype)
    cube = torch.ones(2, 1, 3, device=device, dtype=dtype)
    stretched = row.expand(4, 3)

    def grow(target: Tensor) -> Tensor:
        return target.add_(column)

    return (
        exact("row and column", row + column, [[11, 12, 13], [21, 22, 23]])
        | exact("product", row * column, [[10, 20, 30], [20, 40, 60]])
        | exact("one number", row - 1, [0, 1, 2])
        | same("three axes", (cube + column).shape, (2, 2, 3))
        | same("strides", stretched.stride(), (0, 1))
        | same("no copy", stretched.data_ptr() == row.data_ptr(), True)
        | exact("comparison", row > column / 10, [[0, 1, 1], [0, 0, 1]])
        | exact("maximum", torch.maximum(row, column / 10), [[1, 2, 3], [2, 2, 3]])
        | refused("extents that differ", RuntimeError, lambda: row + row[:2])
        | refused("growing in place", RuntimeError, lambda: grow(row))
    )
