"""The record of what is wrong with a node or a value, and how both are called."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model.graph import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a node or a value."""

    code: str
    summary: str
    cause: str
    cure: str = ""
    """What a person can do; empty when the cause says it."""
    node: str = ""


def title(node: Node) -> str:
    """Return how a node is called in a sentence."""
    return f"{node.operator} {node.name!r}" if node.name else f"A {node.operator} node"


def short(kind: str) -> str:
    """Return `float16` for `tensor(float16)`; other types as they are."""
    return kind[7:-1] if kind.startswith("tensor(") else kind
