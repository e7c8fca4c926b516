"""Name-independent check whether two graphs compute the same: the last step of a comparison.

A comparison pairs nodes by rules that can be wrong. If it finds no difference, both graphs are serialized without
names, and any remaining difference is reported.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from bench.graph_diff.difference import Change, Difference
from bench.onnx_graph.record import Graph, Node


def with_remainder(
    difference: Difference,
    before: Graph,
    after: Graph,
    digests: tuple[Mapping[str, str], Mapping[str, str]] | None = None,
) -> Difference:
    """Return the difference; if it is empty, with remaining differences added. `digests`: tensor -> its content, for
    both; None: compare the graph alone.
    """
    if not difference.is_empty:
        return difference
    mine, theirs = (
        _written(graph, digests[n] if digests else None) for n, graph in enumerate((before, after))
    )
    if mine == theirs:
        return difference
    missing = [len(list((a - b).elements())) for a, b in ((mine, theirs), (theirs, mine))]
    texts = [f"{number:,} connections of its own" for number in missing]
    change = Change(what="structure", name="", before=texts[0], after=texts[1])
    return replace(difference, general=(*difference.general, change))


def alike(before: Graph, after: Graph) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
    """Return for both graphs node -> a digest of all that it depends on, if they are the same apart from names, order
    and the values of weights; else None.
    """
    left: dict[str, str] = {}
    right: dict[str, str] = {}
    is_same = _written(before, None, left) == _written(after, None, right)
    return (left, right) if is_same else None


def _written(
    graph: Graph, digests: Mapping[str, str] | None, by_node: dict[str, str] | None = None
) -> Counter[str]:
    """Count one digest for each node (of all its dependencies), each stored tensor and each output of the graph;
    `by_node`: receives those of the nodes.
    """
    values: dict[str, str] = {"": "left out"}
    found: Counter[str] = Counter()
    for tensor in graph.tensors:
        content = digests.get(tensor.name, "") if digests else f"{tensor.dtype}{tensor.shape}"
        values[tensor.name] = _digest("tensor", content)
        found[values[tensor.name]] += 1
    for number, value in enumerate(graph.inputs):
        values[value.name] = _digest("input", number)
    bodies = {body.place: body for body in graph.bodies}
    inner: dict[str, list[str]] = {}
    for place in bodies:
        depth = sum(place.startswith(f"{other}/") for other in bodies)
        inner.setdefault(place.rpartition("/")[0], []).append(place)
        for number, name in enumerate(bodies[place].inputs):
            # By depth and not by place: the enclosing node may have another name.
            values[name] = _digest("argument", depth, place.rpartition("/")[2], number)
    # A node comes before those inside it: these are serialized first.
    for node in _inside_out(graph.nodes, inner):
        parts = [values.get(name, "unknown") for name in _stripped(node.inputs)]
        for place in sorted(inner.get(node.key, ())):
            ends = [values.get(name, "unknown") for name in bodies[place].outputs]
            parts.append(_digest("body", place.rpartition("/")[2], *ends))
        own = _digest(node.operator, repr(node.attributes), len(node.outputs), *parts)
        found[own] += 1
        if by_node is not None:
            by_node[node.key] = own
        for number, value in enumerate(node.outputs):
            if value.name:
                values[value.name] = _digest(own, number)
    for number, value in enumerate(graph.outputs):
        found[_digest("output", number, values.get(value.name, "unknown"))] += 1
    return found


def _inside_out(nodes: tuple[Node, ...], inner: Mapping[str, list[str]]) -> list[Node]:
    """Return the nodes, inner nodes before their enclosing node; otherwise in order."""
    found: list[Node] = []
    waiting: list[tuple[Node, list[str]]] = []
    for node in nodes:
        while waiting and not any(node.key.startswith(f"{p}/") for p in waiting[-1][1]):
            found.append(waiting.pop()[0])
        if node.key in inner:
            waiting.append((node, inner[node.key]))
        else:
            found.append(node)
    return found + [node for node, _ in reversed(waiting)]


def _stripped(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names without omitted optional inputs at the end."""
    end = len(names)
    while end and not names[end - 1]:
        end -= 1
    return names[:end]


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:24]
