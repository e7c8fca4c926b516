"""Pairing of the tensors of two graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.graph_diff.match import Match
from bench.onnx_graph.names import bare, family, is_numbered
from bench.onnx_graph.record import Graph
from bench.onnx_graph.sources import Source, sources_of, weights_of


def shared(before: Graph, after: Graph, pairs: Sequence[Match]) -> list[tuple[Source, Source]]:
    """Return the tensors that are on both sides: at the same input of a matched node, or under the same name."""
    left, right = sources_of(before), sources_of(after)
    found: dict[tuple[str, str], tuple[Source, Source]] = {}
    for pair in pairs:
        if family(pair.before.operator) != family(pair.after.operator):
            continue  # their inputs have other meanings
        mine, theirs = weights_of(pair.before, left), weights_of(pair.after, right)
        for place in sorted(mine.keys() & theirs.keys()):
            one, other = mine[place], theirs[place]
            found.setdefault((one.tensor, other.tensor), (one, other))
    taken = ({a for a, _ in found}, {b for _, b in found})
    names = {bare(t.name): t.name for t in reversed(after.tensors) if t.name not in taken[1]}
    for tensor in before.tensors:
        other_name = names.get(bare(tensor.name))
        if tensor.name in taken[0] or other_name is None or is_numbered(tensor.name):
            continue
        found[tensor.name, other_name] = (_by_name(tensor.name, left), _by_name(other_name, right))
    return list(found.values())


def _by_name(name: str, sources: Mapping[str, Source]) -> Source:
    """Return the tensor as a node in its graph takes it: dequantized if any node does that."""
    behind = [s for s in sources.values() if s.tensor == name and s.scale]
    return behind[0] if behind else sources[name]
