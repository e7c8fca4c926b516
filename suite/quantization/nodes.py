"""Worker side. Selection of graph nodes by name, module or operator."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, Final

from diagnostics.did_you_mean import did_you_mean
from suite.onnx_summary import nodes_of
from suite.quantization.errors import QuantizationError

SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""The metadata key under which torch.onnx stores a node's modules: "['', 'layer1', 'layer1.0', 'conv2d']"."""

OPERATOR: Final = "op:"


def scope_note(node: Any) -> Any:
    """Return the entry of the node's metadata that names its modules; None if there is none."""
    return next((entry for entry in node.metadata_props if entry.key == SCOPES), None)


def scopes_of(node: Any) -> tuple[str, ...]:
    """Return the modules that contain the node, outermost first, then the call itself; empty if unknown."""
    note = scope_note(node)
    try:
        scopes = ast.literal_eval(note.value) if note is not None else ()
    except (SyntaxError, ValueError):
        return ()
    return tuple(str(scope) for scope in scopes if scope)


def matches(node: Any, pattern: str) -> bool:
    """Return True if the pattern matches this node.

    `op:Conv*` matches the operator; anything else the node's name or one of its modules: `node_Conv_12`, `fc`,
    `layer4.*`, `*.lm_head`.
    """
    if pattern.startswith(OPERATOR):
        return fnmatchcase(node.op_type, pattern.removeprefix(OPERATOR))
    return any(fnmatchcase(name, pattern) for name in (node.name, *scopes_of(node)))


def named(model: Any, patterns: Iterable[str]) -> list[str]:
    """Return the names of the nodes that the patterns match, in the graph's order.

    Raises QuantizationError for a pattern without a match: an exclusion that excludes nothing is a mistake.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        names = [node.name for node in model.graph.node if matches(node, pattern)]
        if not names:
            raise QuantizationError(
                f"the exclusion {pattern!r} means no node of the graph; expected a node's name, a module, a glob of"
                f" either, or 'op:OPERATOR'{_hint(model, pattern)}"
            )
        found |= dict.fromkeys(names)
    order = {node.name: i for i, node in enumerate(model.graph.node)}
    return sorted(found, key=order.__getitem__)


def name_all(model: Any) -> None:
    """Give every unnamed node a name, in place: the quantizer identifies nodes by name."""
    taken = {node.name for node in model.graph.node}
    for i, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{i}"
            while node.name in taken:
                node.name += "_"
            taken.add(node.name)


def drop_unused(model: Any, names: Iterable[str]) -> None:
    """Remove those of the stored tensors that are neither read by a node, including subgraphs, nor an output."""
    used = {name for node in nodes_of(model) for name in node.input}
    used |= {value.name for value in model.graph.output}
    for tensor in [t for t in model.graph.initializer if t.name in set(names) - used]:
        model.graph.initializer.remove(tensor)


def _hint(model: Any, pattern: str) -> str:
    """Return the names most similar to the pattern."""
    if pattern.startswith(OPERATOR):
        known = sorted({f"{OPERATOR}{node.op_type}" for node in model.graph.node})
        return f", e.g. {', '.join(known[:8])}"
    names = {name for node in model.graph.node for name in (node.name, *scopes_of(node)[:-1])}
    return did_you_mean(pattern, sorted(names), is_listed=False)
