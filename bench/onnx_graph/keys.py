"""Keys of nodes: a node's name if it is unique, else a generated unique key."""

from __future__ import annotations

from collections.abc import Iterable


def keys_of(nodes: Iterable[tuple[str, str]]) -> list[str]:
    """Return a unique key for each (name, operator), in order: its name, or `Relu #7` by its place.

    ONNX lets nodes have no name or share one; pictures and comparisons need to distinguish them.
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
