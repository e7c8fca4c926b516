"""What a formula of multiply-accumulates is asked: one node with the shapes of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.onnx_graph.record import Shape

WHOLE: Final = slice(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One node with the data for its count."""

    attributes: Mapping[str, Any]
    """Plain numbers, text and lists."""
    inputs: Sequence[Shape | None]
    """Shape of each input; None if omitted or unknown."""
    outputs: Sequence[Shape | None]
    given: Sequence[bool] | None = None
    """Which inputs are present; None: those with a shape."""
    value: Callable[[int], Any] = lambda at: None
    """Returns the number in a scalar input, None if unknown."""


Counter = Callable[[Call], int]


class Open(Exception):
    """Raised if a shape, or other data named in the text, that the count needs is unknown."""


def known(shapes: Sequence[Shape | None], at: int, part: slice = WHOLE) -> tuple[int, ...]:
    """Return the extents of one shape, or of a part of it; raise Open if one of them is open."""
    shape = shapes[at] if at < len(shapes) else None
    extents = None if shape is None else shape[part]
    if extents is None or not all(isinstance(d, int) for d in extents):
        raise Open
    return tuple(d for d in extents if isinstance(d, int))


def has(call: Call, at: int) -> bool:
    """Return whether the input is present."""
    if call.given is not None:
        return at < len(call.given) and call.given[at]
    return at < len(call.inputs) and call.inputs[at] is not None
