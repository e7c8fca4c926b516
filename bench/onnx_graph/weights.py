"""The weights of graph files: read one tensor at a time, dequantized, compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import log10, sqrt
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.graph_diff.compare import compare_matched, shape_text
from bench.graph_diff.difference import Difference, TensorChange
from bench.graph_diff.match import match
from bench.graph_diff.shared import shared
from bench.onnx_graph.errors import GraphError, explained
from bench.onnx_graph.record import Graph, Tensor
from bench.onnx_graph.skeleton import mapped, skeleton_of
from bench.onnx_graph.sources import Source, parameters_of

CHUNK: Final = 1 << 22
"""Elements that are compared at once: the sums are taken in double precision."""


class Weights:
    """The stored tensors of one file; a context manager. Nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = skeleton_of(path).places
        self._open = ExitStack()
        self._view = self._open.enter_context(mapped(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def names(self) -> tuple[str, ...]:
        """The tensors, in the order of the file."""
        return tuple(self._places)

    def array(self, name: str) -> Any:
        """The tensor as a numpy array; raises GraphError when its bytes are missing or not what it says."""
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import numpy_helper

        if name not in self._places:
            raise GraphError(f"{self._path}: it has no tensor {name[:200]!r} of its own")
        start, end = self._places[name]
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(bytes(self._view[start:end]))
            return numpy_helper.to_array(tensor, base_dir=str(self._path.parent))
        except DecodeError as error:
            raise explained(self._path, f"tensor {name[:200]!r}: {error}") from error
        except (onnx.checker.ValidationError, OSError, KeyError, TypeError, ValueError) as error:
            raise explained(
                self._path, f"the weights of tensor {name[:200]!r} cannot be read ({error})"
            ) from error

    def numbers(self, source: Source) -> Any:
        """The tensor in the float domain: dequantized where it has a scale. Raises GraphError."""
        import numpy as np

        array = self.array(source.tensor)
        if source.scale:
            scale = self.array(source.scale).astype(np.float32)
            zero = self.array(source.zero_point) if source.zero_point else None
            array = dequantized(array, scale, zero, source.axis, source.block)
        return array.swapaxes(-1, -2) if source.is_transposed and array.ndim > 1 else array


def dequantized(array: Any, scale: Any, zero_point: Any, axis: int, block: int = 0) -> Any:
    """(array - zero point) x scale as float32, scales spread over the other axes or over blocks of one."""
    import numpy as np

    def spread(values: Any) -> Any:
        if values.size == 1:
            return values.reshape(())
        if block:
            return np.repeat(values, block, axis=axis).take(range(array.shape[axis]), axis=axis)
        if values.ndim == 1:
            place = axis if array.shape[axis] == values.size else 0
            shape = [1] * array.ndim
            shape[place] = values.size
            return values.reshape(shape)
        return values.reshape([*values.shape[:1], *[1] * (array.ndim - 2), values.shape[-1]])

    result = array.astype(np.float32)
    if zero_point is not None and zero_point.size:
        result -= spread(zero_point.astype(np.float32))
    return result * spread(scale)


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
