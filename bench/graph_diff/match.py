"""Matching of two graphs' nodes: by name, then by structure, then by outputs, then by order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from bench.graph_diff.fingerprint import alike
from bench.onnx_graph.names import bare, family, is_numbered
from bench.onnx_graph.record import Graph, Node
from bench.onnx_graph.sources import sources_of, weights_of

TRANSPARENT: Final = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Identity"}
)
"""Operators skipped when tracing a value's source: quantization puts them between nodes."""
LEAST_RUN: Final = 3
"""Minimum length of a run of nodes with equal operators to match by order alone."""
MOST_ORDERED: Final = 3000
"""Maximum number of unmatched nodes for matching by order, which takes quadratic time."""


Groups = dict[Hashable, tuple[list[Node], list[Node]]]
"""Signature -> the nodes that have it, before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A matched pair of nodes."""

    before: Node
    after: Node
    by: str
    """name, structure, outputs or order."""


def match(before: Graph, after: Graph) -> tuple[Match, ...]:
    """Return the pairs in the order of `before`; every node is in one pair at most.

    A name alone is weak evidence if exporters number nodes: an inserted node shifts all later numbers. So module and
    weights must first agree with the name; the name alone is used late.
    """
    matcher = _Matcher(before, after)
    weights = matcher.weights
    if digests := alike(before, after):
        # Only names and order can differ: a name, or a number made of the order, must not outweigh what a node reads.
        matcher.by("name", lambda side, n: (digests[side][n.key], n.key, weights(side, n)))
        matcher.by("structure", lambda side, n: (digests[side][n.key], weights(side, n)))
        matcher.by("structure", lambda side, n: digests[side][n.key])
    matcher.by("name", lambda side, n: (n.key, family(n.operator), n.scope, weights(side, n)))
    twins = matcher.nameless_twins()
    matcher.by(
        "name",
        lambda side, n: (
            (bare(n.key), family(n.operator), weights(side, n)) if n.key in twins else None
        ),
    )
    matcher.by(
        "structure", lambda side, n: (family(n.operator), w) if (w := weights(side, n)) else None
    )
    matcher.by_structure(with_scope=True)
    matcher.by("structure", lambda side, n: (family(n.operator), n.scope) if n.scope else None)
    matcher.by_structure(with_scope=False)
    matcher.by("outputs", lambda side, n: _outputs(n, with_operator=True))
    matcher.by("name", lambda side, n: (bare(n.key), family(n.operator)))
    matcher.by_structure(with_scope=False)
    # A remaining node with an old name or an old output value has become another operator.
    matcher.by("name", lambda side, n: n.key)
    matcher.by("outputs", lambda side, n: _outputs(n, with_operator=False))
    matcher.by_order()
    matcher.by_structure(with_scope=False)
    return matcher.pairs()


def origin(graph: Graph) -> Callable[[str], str]:
    """Return a function from a value to the value that it is a copy of, seen through TRANSPARENT nodes."""
    above = {
        value.name: node.inputs[0]
        for node in graph.nodes
        if node.operator in TRANSPARENT and node.inputs
        for value in node.outputs
    }

    def find(name: str) -> str:
        seen = {name}
        while (next_one := above.get(name)) is not None and next_one not in seen:
            name = next_one
            seen.add(name)
        return name

    return find


def _outputs(node: Node, *, with_operator: bool) -> Hashable:
    if node.operator in TRANSPARENT or not node.outputs:
        return None
    names = tuple(bare(value.name) for value in node.outputs)
    if any(is_numbered(name) for name in names):
        return None
    return (family(node.operator), names) if with_operator else names


class _Matcher:
    """State of one matching: the unmatched nodes of both sides."""

    def __init__(self, before: Graph, after: Graph) -> None:
        self._sides = (before, after)
        self._free: tuple[dict[str, Node], dict[str, Node]] = (
            {node.key: node for node in before.nodes},
            {node.key: node for node in after.nodes},
        )
        self._found: dict[str, Match] = {}
        self._other: dict[str, str] = {}
        """Key after -> key before."""
        self._producers = tuple(
            {
                v.name: (node.key, place)
                for node in graph.nodes
                for place, v in enumerate(node.outputs)
            }
            for graph in self._sides
        )
        self._origins = tuple(origin(graph) for graph in self._sides)
        self._inputs = tuple(
            {value.name: f"input {place}" for place, value in enumerate(graph.inputs)}
            for graph in self._sides
        )
        self._takers: tuple[dict[str, list[str]], ...] = ({}, {})
        for side, graph in enumerate(self._sides):
            for node in graph.nodes:
                for name in dict.fromkeys(map(self._origins[side], node.inputs)):
                    self._takers[side].setdefault(name, []).append(node.key)
        self._sources = tuple(sources_of(graph) for graph in self._sides)
        scopes = [any(node.scope for node in graph.nodes) for graph in self._sides]
        self._has_scopes = all(scopes)

    def weights(self, side: int, node: Node) -> tuple[str, ...]:
        """Return names of the stored tensors that the node takes, except exporter-numbered ones."""
        names = (bare(s.tensor) for s in weights_of(node, self._sources[side]).values())
        return tuple(name for name in names if not is_numbered(name))

    def nameless_twins(self) -> set[str]:
        """Return keys of nodes whose module is no evidence: one file names none, or a quantizer recreated the namesake
        on the other side without it.
        """
        if not self._has_scopes:
            return {node.key for side in self._free for node in side.values()}
        without = {node.key for side in self._free for node in side.values() if not node.scope}
        return without | {bare(key) for key in without}

    def by(self, name: str, signature: Callable[[int, Node], Hashable]) -> int:
        """Pair the unmatched nodes with the same signature, in order; return the number of pairs. None is no
        signature.
        """
        groups: Groups = defaultdict(lambda: ([], []))
        for side in (0, 1):
            for node in self._free[side].values():
                if (found := signature(side, node)) is not None:
                    groups[found][side].append(node)
        num_pairs = 0
        for left, right in groups.values():
            if name == "structure" and len(left) != len(right):
                continue  # unknown which of them is missing
            for before, after in zip(left, right, strict=False):
                self._take(before, after, name)
                num_pairs += 1
        return num_pairs

    def by_structure(self, *, with_scope: bool) -> None:
        """Pair by operator and producers; each pair makes producers known, so that more can be paired."""
        waiting: Groups = defaultdict(lambda: ([], []))
        ready = [(side, node) for side in (0, 1) for node in self._free[side].values()]
        while ready:
            touched: dict[Hashable, None] = {}
            for side, node in ready:
                found = self._structure(side, node, with_scope)
                if found is not None and node.key in self._free[side]:
                    waiting[found][side].append(node)
                    touched[found] = None
            found_ready: dict[tuple[int, str], Node] = {}
            for signature in touched:
                left, right = waiting[signature]
                if len(left) != len(right):
                    continue  # unknown which of them is missing
                for before, after in zip(left, right, strict=True):
                    self._take(before, after, "structure")
                    # A node with two producers among these pairs becomes ready once.
                    for side, node in (*self._consumers(0, before), *self._consumers(1, after)):
                        found_ready[side, node.key] = node
                del waiting[signature]
            ready = [(side, node) for (side, _), node in found_ready.items()]

    def _consumers(self, side: int, node: Node) -> list[tuple[int, Node]]:
        """Return the unmatched consumers of a node's outputs, each once."""
        keys = dict.fromkeys(k for v in node.outputs for k in self._takers[side].get(v.name, ()))
        return [(side, self._free[side][key]) for key in keys if key in self._free[side]]

    def by_order(self) -> None:
        """Pair runs of the same operators among the unmatched nodes."""
        left, right = (list(side.values()) for side in self._free)
        if not (left and right) or len(left) + len(right) > MOST_ORDERED:
            return
        import difflib  # seldom needed

        operators = [[family(node.operator) for node in side] for side in (left, right)]
        matcher = difflib.SequenceMatcher(a=operators[0], b=operators[1], autojunk=False)
        for block in matcher.get_matching_blocks():
            if block.size >= LEAST_RUN:
                for place in range(block.size):
                    self._take(left[block.a + place], right[block.b + place], "order")

    def pairs(self) -> tuple[Match, ...]:
        """Return the pairs in the order of the graph before."""
        return tuple(self._found[n.key] for n in self._sides[0].nodes if n.key in self._found)

    def _take(self, before: Node, after: Node, by: str) -> None:
        del self._free[0][before.key], self._free[1][after.key]
        self._found[before.key] = Match(before=before, after=after, by=by)
        self._other[after.key] = before.key

    def _structure(self, side: int, node: Node, with_scope: bool) -> Hashable:
        """Return the structural signature; None while a producer is unmatched."""
        parts = [family(node.operator), node.scope if with_scope else ""]
        for name in node.inputs:
            source = self._source(side, name)
            if source is None:
                return None
            parts.append(source)
        return tuple(parts)

    def _source(self, side: int, name: str) -> str | None:
        if not name:
            return "-"
        start = self._origins[side](name)
        if start in self._inputs[side]:
            return self._inputs[side][start]
        made = self._producers[side].get(start)
        if made is None:
            return "weights"
        key, place = made
        known = self._other.get(key) if side else (key if key in self._found else None)
        return None if known is None else f"{known}:{place}"
