"""Names of nodes and weights after the module that uses them: the numbers that an exporter gives change from one export
to the next, and mean nothing to the model's author.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from bench.graph_analysis.record import layer_name
from bench.onnx_graph.names import bare, family, is_numbered

if TYPE_CHECKING:
    from bench.onnx_graph.record import Graph

PASSED_ON: Final = frozenset(
    {
        *("QuantizeLinear", "DequantizeLinear", "Cast", "Identity", "Reshape", "Transpose"),
        *("Concat", "Squeeze", "Unsqueeze", "Slice"),
    }
)
"""Operators that hand a weight on to the one that uses it."""
RECURRENT: Final = {1: "weight_ih", 2: "weight_hh", 3: "bias"}
ROLES: Final = {"LSTM": RECURRENT, "GRU": RECURRENT, "RNN": RECURRENT}
"""Operator -> place among its inputs -> role of the weight, as PyTorch calls it."""
ROLE: Final = {0: "weight", 1: "weight", 2: "bias"}
"""The same for every other operator; the first input is a table that rows are gathered from."""
MOST_STEPS: Final = 8
"""Maximum number of operators between a weight and the one that uses it."""


class Named(Protocol):
    """What a node's name is made of, in a graph or in its stored analysis."""

    @property
    def key(self) -> str:
        """Key in its graph."""

    @property
    def operator(self) -> str:
        """Operator with its domain."""

    @property
    def scope(self) -> str:
        """Module; empty if unknown."""


def scopes_in(states: Iterable[Iterable[Named]]) -> dict[str, str]:
    """Return key of a node without a quantizer's suffix -> its module, from every state that tells it.

    A quantizer keeps the names of nodes and drops their modules.
    """
    return {layer_name(node.key): node.scope for nodes in states for node in nodes if node.scope}


def node_names(nodes: Iterable[Named], scopes: Mapping[str, str]) -> dict[str, str]:
    """Return key -> `encoder.0.linear MatMul`, with `#2` for the second of its kind in that module, alike in every
    state of a model; `scopes`: see `scopes_in`. A node of no known module keeps its own name.
    """
    numbers: Counter[tuple[str, str]] = Counter()
    found = {}
    for node in nodes:
        own = layer_name(node.key)
        scope, kind = node.scope or scopes.get(own, ""), family(node.operator)
        if not scope:
            found[node.key] = own
            continue
        numbers[scope, kind] += 1
        number = numbers[scope, kind]
        found[node.key] = f"{scope} {kind}" + (f" #{number}" if number > 1 else "")
    return found


def weight_names(graph: Graph, tensors: Iterable[str], scopes: Mapping[str, str]) -> dict[str, str]:
    """Return tensor -> name for people: its own, or `encoder.0.linear.weight` in place of an exporter's number."""
    users: dict[str, list[tuple[int, int]]] = {}
    for number, node in enumerate(graph.nodes):
        for place, name in enumerate(node.inputs):
            if name:
                users.setdefault(name, []).append((number, place))
    found = {tensor: layer_name(tensor) for tensor in tensors}
    used = {
        tensor: use
        for tensor, own in found.items()
        if is_numbered(bare(own)) and (use := _use_of(tensor, graph, users, scopes))
    }
    numbers: Counter[str] = Counter()
    for tensor, (_, name) in sorted(used.items(), key=lambda item: item[1]):
        numbers[name] += 1
        found[tensor] = f"{name} #{numbers[name]}" if numbers[name] > 1 else name
    return found


def _use_of(
    tensor: str,
    graph: Graph,
    users: Mapping[str, Sequence[tuple[int, int]]],
    scopes: Mapping[str, str],
) -> tuple[int, str] | None:
    """Return (place of the node that computes with the tensor, `module.role`); None if it has no module."""
    waiting, seen = [tensor], {tensor}
    for _ in range(MOST_STEPS):
        later = []
        for number, place in (use for name in waiting for use in users.get(name, ())):
            node = graph.nodes[number]
            kind = family(node.operator)
            scope = node.scope or scopes.get(layer_name(node.key), "")
            if kind not in PASSED_ON:
                if scope:
                    role = ROLES.get(kind, ROLE).get(place, f"input {place}")
                    return number, f"{scope}.{role}"
                continue
            later += [v.name for v in node.outputs if v.name not in seen]
        seen.update(later)
        waiting = later
    return None
