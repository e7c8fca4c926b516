"""Summary graph for a model with too many nodes: a small ONNX model with one block per module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from bench.netron.step import Step, Steps
from bench.onnx_graph.read import operator_of, parsed, scope_of
from bench.onnx_graph.skeleton import Skeleton

MOST_BLOCKS: Final = 60
"""Maximum number of blocks, for readability."""
SHOWN: Final = 3
"""Number of operators named per block, the most frequent ones."""
TOP: Final = "(top)"
"""Name of the block of nodes before every module."""


def steps_of_graph(path: Path, skeleton: Skeleton) -> Steps:
    """Return the nodes of an ONNX graph. Raises GraphError if it cannot be parsed."""
    graph = parsed(path, skeleton).graph
    weights = {tensor.name for tensor in graph.initializer}
    return Steps(
        steps=tuple(
            Step(
                operator=operator_of(node),
                scope=scope_of(node),
                inputs=tuple(node.input),
                outputs=tuple(node.output),
            )
            for node in graph.node
        ),
        inputs=tuple(value.name for value in graph.input if value.name not in weights),
        outputs=tuple(value.name for value in graph.output),
    )


def blocks_of(graph: Steps) -> bytes:
    """Return a serialized ModelProto with one node per block: its module, its nodes, its most frequent operators."""
    import onnx

    names = block_names([step.scope for step in graph.steps])
    counts: dict[str, Counter[str]] = {}
    links: dict[str, dict[str, None]] = {}
    made = {name: name for name in graph.inputs}
    for name, step in zip(names, graph.steps, strict=True):
        counts.setdefault(name, Counter())[step.operator] += 1
        into = links.setdefault(name, {})
        into.update(dict.fromkeys(made[v] for v in step.inputs if made.get(v, name) != name))
        made.update(dict.fromkeys(step.outputs, name))
    used = {source for into in links.values() for source in into}
    summary = onnx.ModelProto(ir_version=8, producer_name="torch-vitals")
    summary.opset_import.add(domain="", version=18)
    summary.graph.name = "blocks"
    summary.graph.input.extend(onnx.ValueInfoProto(name=n) for n in graph.inputs if n in used)
    for name, operators in counts.items():
        node = summary.graph.node.add(op_type=name, name=name, domain="block")
        node.input.extend(links[name])
        node.output.append(name)
        _put(node, "(nodes)", operators.total())  # sorts first
        for operator, number in operators.most_common(SHOWN):
            _put(node, operator, number)
    for block in dict.fromkeys(made[v] for v in graph.outputs if v in made):
        summary.graph.output.add(name=block)
    data: bytes = summary.SerializeToString()
    return data


def block_names(scopes: Sequence[str]) -> list[str]:
    """Return for each node the name of its block: its module, cut off at the deepest level with at most MOST_BLOCKS.

    If even the top level has too many, or no node has a module, consecutive nodes form a block.
    """
    # Nodes outside of modules, such as additions between modules, join the block before them.
    filled: Iterator[str] = accumulate(scopes, _scope_or_before)
    parts = [scope.split(".") if scope else [] for scope in filled]
    best: list[str] = []
    for depth in range(1, max((len(p) for p in parts), default=0) + 1):
        # Netron shows only the part of a type after its last full stop.
        names = ["/".join(p[:depth]) or TOP for p in parts]
        if len(set(names)) > MOST_BLOCKS:
            break
        best = names
    if len(set(best)) > 1:
        return best
    total = len(scopes)
    size = -(-total // MOST_BLOCKS)
    starts = [place // size * size for place in range(total)]
    return [f"nodes {start + 1:,} to {min(start + size, total):,}" for start in starts]


def _scope_or_before(before: str, scope: str) -> str:
    return scope or before


def _put(node: Any, name: str, value: int) -> None:
    attribute = node.attribute.add(name=name, i=value)
    attribute.type = attribute.INT
