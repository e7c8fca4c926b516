"""Functions that a file brings: the defaults of their attributes, which onnx's inliner leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def fill_in_defaults(model: Any) -> None:
    """Give every call of a function of this file the attributes that it leaves at their default, in place."""
    defaults = {
        (f.domain, f.name, getattr(f, "overload", "")): {a.name: a for a in f.attribute_proto}
        for f in model.functions
        if f.attribute_proto
    }
    if not defaults:
        return
    for holder in (model.graph, *model.functions):
        for node in _nodes(holder):
            known: Mapping[str, Any] = defaults.get(
                (node.domain, node.op_type, getattr(node, "overload", "")), {}
            )
            given = {a.name for a in node.attribute}
            node.attribute.extend(a for name, a in known.items() if name not in given)


def _nodes(holder: Any) -> Iterator[Any]:
    """Yield the nodes of a graph or a function, with those of the graphs inside them."""
    for node in holder.node:
        yield node
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _nodes(body)
