"""The weights of two graphs compared, in the float domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import log10, sqrt
from pathlib import Path
from typing import Any, Final

from bench.graph_diff.compare import compare_matched, shape_text
from bench.graph_diff.difference import Difference, TensorChange
from bench.graph_diff.match import match
from bench.graph_diff.shared import shared
from bench.onnx_graph.record import Graph, Tensor
from bench.onnx_graph.sources import Source, parameters_of
from bench.onnx_graph.weights import Weights

CHUNK: Final = 1 << 22
"""Elements that are compared at once: the sums are taken in double precision."""


def compare_files(before: Graph, after: Graph) -> Difference:
    """The difference of two graphs, with their weights. Raises GraphError when weights cannot be read."""
    pairs = match(before, after)
    difference = compare_matched(before, after, pairs)
    found = shared(before, after, pairs)
    with Weights(Path(before.path)) as left, Weights(Path(after.path)) as right:
        changes = list(_changes(before, after, found, left, right))
    changes.sort(key=_order)
    mine, theirs = {one.tensor for one, _ in found}, {other.tensor for _, other in found}
    parameters = parameters_of(after) | {n for _, s in found for n in (s.scale, s.zero_point)}
    added = [t.name for t in after.tensors if t.name not in theirs]
    return replace(
        difference,
        tensors=tuple(changes),
        tensors_added=tuple(name for name in added if name not in parameters),
        tensors_removed=tuple(t.name for t in before.tensors if t.name not in mine),
        quantization_parameters=tuple(name for name in added if name in parameters),
        are_weights_compared=True,
    )


def _changes(
    before: Graph,
    after: Graph,
    found: Sequence[tuple[Source, Source]],
    left: Weights,
    right: Weights,
) -> Iterator[TensorChange]:
    mine, theirs = ({t.name: t for t in graph.tensors} for graph in (before, after))
    for one, other in found:
        a, b = mine[one.tensor], theirs[other.tensor]
        change = TensorChange(
            name=a.name,
            other=b.name,
            dtypes=(a.dtype, b.dtype),
            shapes=(a.shape, b.shape),
            num_bytes=(a.num_bytes, b.num_bytes),
            is_dequantized=(bool(one.scale), bool(other.scale)),
        )
        if reason := _obstacle(a, b, one, other, left, right):
            yield replace(change, note=reason)
            continue
        yield _measured(change, left.numbers(one), right.numbers(other))


def _obstacle(
    a: Tensor, b: Tensor, one: Source, other: Source, left: Weights, right: Weights
) -> str:
    """Why the two cannot be compared, or an empty string."""
    shapes = [
        (*t.shape[:-2], t.shape[-1], t.shape[-2])
        if s.is_transposed and len(t.shape) > 1
        else t.shape
        for t, s in ((a, one), (b, other))
    ]
    if shapes[0] != shapes[1]:
        return f"changed in shape: {shape_text(shapes[0])} to {shape_text(shapes[1])}"
    for _tensor, source, weights in ((a, one, left), (b, other, right)):
        for name in (source.tensor, source.scale, source.zero_point):
            if name and name not in weights:
                return f"{name[:80]} is computed or sparse, not stored as it is"
    is_integer = [("int" in t.dtype or t.dtype == "bool") for t in (a, b)]
    if is_integer[0] != is_integer[1] and not (one.scale or other.scale):
        return f"{a.dtype} and {b.dtype} without a scale"
    return ""


def _measured(change: TensorChange, a: Any, b: Any) -> TensorChange:
    """The change with its numbers."""
    import numpy as np

    if a.dtype.kind in "OSU" or b.dtype.kind in "OSU":
        return replace(change, is_equal=bool(np.array_equal(a, b)), note="text")
    largest = total = dot = power_a = power_b = power_d = 0.0
    is_equal, is_finite = True, True
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    for start in range(0, flat_a.size, CHUNK):
        x = flat_a[start : start + CHUNK].astype(np.float64)
        y = flat_b[start : start + CHUNK].astype(np.float64)
        is_equal = is_equal and bool(np.array_equal(x, y, equal_nan=True))
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            is_finite = False
            continue
        d = y - x
        largest = max(largest, float(np.abs(d).max(initial=0.0)))
        total += float(np.abs(d).sum())
        dot += float(x @ y)
        power_a += float(x @ x)
        power_b += float(y @ y)
        power_d += float(d @ d)
    if not is_finite:
        return replace(change, is_equal=is_equal, note="holds NaN or infinity")
    scale = sqrt(power_a) * sqrt(power_b)
    return replace(
        change,
        is_equal=is_equal,
        max_abs=largest,
        mean_abs=total / flat_a.size if flat_a.size else 0.0,
        cosine=(1.0 if is_equal else max(-1.0, min(1.0, dot / scale))) if scale else None,
        snr_db=10 * log10(power_a / power_d) if power_d and power_a else None,
    )


def _order(change: TensorChange) -> tuple[int, float, str]:
    """Largest relative error first, then what could not be compared, then what is equal."""
    if change.is_equal:
        return (2, 0.0, change.name)
    if change.max_abs is None:
        return (1, 0.0, change.name)
    return (0, change.snr_db if change.snr_db is not None else -1e9, change.name)
