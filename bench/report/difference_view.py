"""View of the differences between two states of a model, from the document of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TENSORS: Final = 8
"""Maximum number of tensors of one difference, those with the largest relative error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceView:
    """Differences of one state from another."""

    before: str
    after: str
    document: Mapping[str, Any]
    tensors: tuple[Mapping[str, Any], ...]
    """Tensors with the largest relative error."""
    num_equal: int
    num_other: int
    """Number of tensors whose shape changed, or that could not be compared."""


def difference_view(before: str, after: str, document: Mapping[str, Any]) -> DifferenceView:
    """Return the difference between the states of these names; `document`: of `bench.graph_diff.document`."""
    tensors = [t for t in document.get("tensors", ()) if isinstance(t, Mapping) and _is_weight(t)]
    measured = [t for t in tensors if not t.get("is_equal") and t.get("max_abs") is not None]
    num_equal = sum(bool(t.get("is_equal")) for t in tensors)
    return DifferenceView(
        before=before,
        after=after,
        document=document,
        tensors=tuple(measured[:TENSORS]),
        num_equal=num_equal,
        num_other=len(tensors) - num_equal - len(measured),
    )


def _is_weight(tensor: Mapping[str, Any]) -> bool:
    """Return whether the tensor is a weight: integers without a scale are shapes and indices."""
    dtypes, scaled = tensor.get("dtypes", ()), tensor.get("is_dequantized", ())
    whole = all(str(dtype).startswith(("int", "uint", "bool")) for dtype in dtypes)
    return any(scaled) or not whole
