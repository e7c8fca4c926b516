"""Sequences of tensors: what one made of known tensors holds, for the operators that join them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.onnx_graph.known import Known
from bench.onnx_graph.record import Shape


def elements_of(known: Known | None) -> list[Known] | None:
    """Return the tensors of a sequence in order; None where they are not known, such as behind a loop."""
    if known is None:
        return None
    if known.operator == "SequenceEmpty":
        return []
    if known.operator == "SequenceConstruct":
        return list(known.parents)
    if known.operator == "Identity" and known.parents:
        return elements_of(known.parents[0])
    if known.operator == "SequenceInsert" and len(known.parents) == 2:  # at the end
        before = elements_of(known.parents[0])
        return None if before is None else [*before, known.parents[1]]
    return None


def joined_shape(sequence: Known | None, attributes: dict[str, Any]) -> Shape | None:
    """Return the shape that ConcatFromSequence gives; None where a part of it is open."""
    parts = elements_of(sequence)
    if not parts or not all(part.is_whole for part in parts):
        return None
    shapes: Sequence[tuple[int, ...]] = [
        tuple(d for d in part.shape or () if isinstance(d, int)) for part in parts
    ]
    axis = int(attributes.get("axis") or 0)
    first = shapes[0]
    if attributes.get("new_axis"):
        at = axis + len(first) + 1 if axis < 0 else axis
        return (*first[:at], len(shapes), *first[at:])
    at = axis + len(first) if axis < 0 else axis
    return (*first[:at], sum(shape[at] for shape in shapes), *first[at + 1 :])
