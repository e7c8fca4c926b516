"""Why a shape or a value is open: an axis that the user can choose, the data, or an operator without a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.onnx_graph.known import Known

AXIS: Final = "open axis "
"""Prefix of the reason if it is an axis that the user can choose."""
DATA: Final = "depends on the data"


def causes_of(known: Known, axes: frozenset[str], opsets: Mapping[str, int]) -> frozenset[str]:
    """Return why its shape is open: axes that the user can choose, or its other dependencies."""
    open_dims = [d for d in known.shape or () if isinstance(d, str)]
    if known.shape is not None and open_dims and all(d in axes for d in open_dims):
        return frozenset(f"{AXIS}{d}" for d in open_dims)
    shapes = frozenset[str]().union(*(p.causes for p in known.parents if not p.is_whole))
    if shapes:
        return shapes
    values = frozenset[str]().union(*map(value_causes, _whole_number_parents(known)))
    if values - {DATA}:
        return values - {DATA}
    name = known.operator.rpartition("::")[2]
    if "Sequence" in name:
        return frozenset({f"the tensors of a sequence are not followed: {name} {known.key}"})
    if not _has_rule(known.operator, opsets):
        return frozenset({f"no rule gives the shapes behind {known.operator} {known.key}"})
    return frozenset({f"{DATA}: {name} {known.key}"})


def value_causes(known: Known, depth: int = 200) -> frozenset[str]:
    """Return why a value is unknown."""
    if known.value is not None:
        return frozenset()
    if known.operator in ("Shape", "Size"):
        return known.parents[0].causes if known.parents else frozenset()
    if not known.parents or depth == 0:
        return known.causes | {DATA}
    found = frozenset[str]().union(*(value_causes(p, depth - 1) for p in known.parents))
    return found | known.causes


def _whole_number_parents(known: Known) -> list[Known]:
    """Return inputs whose values may determine the shape of the output."""
    return [p for p in known.parents if p.dtype in (0, 6, 7) or p.operator in ("Shape", "Size")]


def _has_rule(operator: str, opsets: Mapping[str, int]) -> bool:
    """Return whether onnx's inference knows the operator."""
    from bench.onnx_graph.microsoft import find_schema  # many rules, for shapes that are open

    domain, _, name = operator.rpartition("::")
    schema = find_schema(name, domain, opsets.get(domain or "ai.onnx", 1))
    return schema is not None and bool(schema.has_type_and_shape_inference_function)


def reason_of(causes: frozenset[str]) -> str:
    """Return the causes as one reason: axes that the user can choose first."""
    axes = sorted(cause.removeprefix(AXIS) for cause in causes if cause.startswith(AXIS))
    others = sorted(cause for cause in causes if not cause.startswith(AXIS))
    if axes:
        return f"{AXIS}{', '.join(axes)}"
    return others[0] if others else f"its shapes {DATA}".replace(DATA, "are not known")
