"""Facts about the values of a graph: shape, type, and the value itself where it is known without running the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.onnx_graph.evaluation import number_in, tensor_value
from bench.onnx_graph.record import Shape
from bench.onnx_graph.values import shape_of


@dataclass(slots=True, kw_only=True, eq=False)
class Known:
    """Known facts about a value."""

    shape: Shape | None = None
    dtype: int = 0
    """Number of TensorProto.DataType; 0: unknown, or not a tensor."""
    compute: Callable[[], Any] | None = None
    """Returns the value, or None."""
    causes: frozenset[str] = frozenset()
    """Why the shape, or the shape that the value represents, is open: see `bench.onnx_graph.reasons`."""
    parents: tuple[Known, ...] = ()
    operator: str = ""
    key: str = ""
    _value: Any = None
    _is_computed: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every extent is known."""
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    @property
    def value(self) -> Any:
        """Value of a small tensor as a numpy array if it is known without running the graph; else None."""
        if not self._is_computed:
            self._is_computed = True
            try:
                self._value = self.compute() if self.compute else None
            except RecursionError:  # the chain of values is too long
                self._value = None
        return self._value


Scope = dict[str, Known]
Fact = tuple[int, Shape | None]
"""Type and shape of a value according to onnx's inference."""


def stored(tensor: Any) -> Known:
    """Return the facts of a weight; its value is read when it is asked for."""
    return Known(
        shape=tuple(int(d) for d in tensor.dims),
        dtype=tensor.data_type,
        compute=lambda: tensor_value(tensor),
    )


def scalar(value: int | None, *, is_flag: bool = False) -> Known:
    """Return the facts of a scalar."""
    import numpy as np

    array = None if value is None else np.array(value, bool if is_flag else np.int64)
    return Known(shape=(), dtype=9 if is_flag else 7, compute=lambda: array)


def number_of(inputs: Sequence[Known | None], at: int) -> int | None:
    """Return the number in a scalar input if it is known."""
    known = inputs[at] if at < len(inputs) else None
    return None if known is None else number_in(known.value)


def shape_only(known: Known) -> Known:
    """Return the facts without the value."""
    return Known(shape=known.shape, dtype=known.dtype, causes=known.causes)


def facts_of(graph: Any) -> dict[str, Fact]:
    """Return value -> the graph's declaration of it."""
    return {
        value.name: (value.type.tensor_type.elem_type, shape_of(value.type.tensor_type))
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.HasField("tensor_type")
    }


def is_explained(shape: Shape | None, axes: frozenset[str]) -> bool:
    """Return whether each extent is known, or open because an axis of an input is."""
    return shape is not None and all(isinstance(d, int) or d in axes for d in shape)


def merged(shape: Shape | None, other: Shape | None) -> Shape | None:
    """Return the combined information of both; extents of the first take precedence."""
    if shape is None or other is None:
        return shape if other is None else other
    if len(shape) != len(other):
        return shape
    return tuple(
        a if isinstance(a, int) else b if isinstance(b, int) or a == "?" else a
        for a, b in zip(shape, other, strict=True)
    )


def agreed(shape: Shape | None, other: Shape | None) -> Shape | None:
    """Return the part that is the same in both."""
    if shape is None or other is None or len(shape) != len(other):
        return None
    return tuple(a if a == b else "?" for a, b in zip(shape, other, strict=True))


def either(values: Sequence[Known], key: str) -> Known:
    """Return the common facts about the results of two branches."""
    if not values:
        return Known()
    found = shape_only(values[0])
    for other in values[1:]:
        found.shape = agreed(found.shape, other.shape)
        found.causes |= other.causes
    if not found.is_whole and not found.causes:
        found.causes = frozenset({f"the branches of {key} give different shapes"})
    return replace(found, key=key, operator="If")
