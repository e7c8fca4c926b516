"""Shortening of input and output names: Netron makes a box as wide as its names."""

from __future__ import annotations

from typing import Any, Final

LONGEST: Final = 60
"""Maximum length in characters."""


def shortened(model: Any) -> Any:
    """Shorten long names of inputs, outputs and axes of the ModelProto in place and return it; names stay unique."""
    graph = model.graph
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    renamed: dict[str, str] = {}
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if len(dim.dim_param) > LONGEST:
                dim.dim_param = _cut(dim.dim_param, set())
        if len(value.name) > LONGEST and value.name not in renamed:
            renamed[value.name] = _cut(value.name, taken)
            taken.add(renamed[value.name])
    if not renamed:
        return model
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = renamed.get(value.name, value.name)
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name in renamed:
                    names[place] = renamed[name]
    return model


def _cut(name: str, taken: set[str]) -> str:
    half = LONGEST // 2 - 4
    cut = f"{name[:half]}…{name[-half:]}"
    number = 1
    while cut in taken:
        number += 1
        cut = f"{name[:half]}…{number}…{name[-half:]}"
    return cut
