"""Keys of nodes: the name where a node has one of its own, else something that is unique."""

from __future__ import annotations

from collections.abc import Iterable


def keys_of(nodes: Iterable[tuple[str, str]]) -> list[str]:
    """A unique key for each (name, operator), in order: its name, or `Relu #7` by its place.

    ONNX lets nodes go without a name or share one; pictures and comparisons need to distinguish them.
    """
    pairs = list(nodes)
    taken = {name for name, _ in pairs if name}
    used: set[str] = set()
    keys = []
    for number, (name, operator) in enumerate(pairs):
        key = name
        if not name or name in used:
            key = f"{name or operator} #{number}"
            while key in taken or key in used:
                key += "'"
        used.add(key)
        keys.append(key)
    return keys
