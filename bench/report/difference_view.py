"""What two states of a model differ in, out of the document of a comparison; ready to be placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TENSORS: Final = 8
"""Tensors of one difference, those with the largest relative error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceView:
    """What one state differs in from another."""

    before: str
    after: str
    document: Mapping[str, Any]
    tensors: tuple[Mapping[str, Any], ...]
    """Those with the largest relative error."""
    num_equal: int
    num_other: int
    """Tensors that are changed in shape, or could not be compared."""


def difference_view(before: str, after: str, document: Mapping[str, Any]) -> DifferenceView:
    """The difference between the states of these names; `document`: of `bench.graph_diff.document`."""
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
    """Whole numbers without a scale are shapes and indices."""
    dtypes, scaled = tensor.get("dtypes", ()), tensor.get("is_dequantized", ())
    whole = all(str(dtype).startswith(("int", "uint", "bool")) for dtype in dtypes)
    return any(scaled) or not whole
