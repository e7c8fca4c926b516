"""The axes that a record declares as dynamic, by the flat inputs of its module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from suite.spec import ModelSpec

BATCH: Final = "batch"
"""Axis whose second extent comes from more samples, not from longer or shorter ones."""


def flat_axes(spec: ModelSpec, inputs: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """Return flat input name -> axis -> axis name; a list's entry applies to each of its tensors.

    Raises ValueError if the record names an input that the batch does not have.
    """
    if unknown := sorted(set(spec.export.dynamic) - set(inputs)):
        raise ValueError(
            f"model {spec.name!r}: export.dynamic names the inputs {unknown}; its batch has {sorted(inputs)}"
        )
    axes: dict[str, dict[int, str]] = {}
    for name, held in spec.export.dynamic.items():
        many = isinstance(inputs[name], (list, tuple))
        flat = [f"{name}_{i}" for i in range(len(inputs[name]))] if many else [name]
        axes.update({item: dict(held) for item in flat if held})
    return axes


def axis_names(spec: ModelSpec) -> list[str]:
    """Return the names of the dynamic axes, each once, in the record's order."""
    return list(
        dict.fromkeys(name for axes in spec.export.dynamic.values() for name in axes.values())
    )
