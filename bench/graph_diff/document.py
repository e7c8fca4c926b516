"""JSON form of a comparison: the stable document of docs/graphs.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from bench.graph_diff.difference import Change, Difference, DifferingNodes, NodeChange, NodeRef
from bench.output import json_text

SCHEMA: Final = 1
"""1: first version."""


def to_document(difference: Difference) -> dict[str, Any]:
    """Return the comparison as JSON-able data; NaN and infinities become null."""
    found: dict[str, Any] = json_text.finite(_rows(difference))
    return found


def to_json(difference: Difference) -> str:
    """Return the document as indented text with a final newline."""
    return json_text.to_json(_rows(difference))


def _rows(difference: Difference) -> dict[str, Any]:
    own = {field.name: getattr(difference, field.name) for field in fields(difference)}
    return {"schema": SCHEMA, "kind": "vitals graphs", "is_empty": difference.is_empty, **own}


def nodes_from(document: Mapping[str, Any]) -> DifferingNodes:
    """Return the nodes of a document; raise KeyError or TypeError for other data."""
    return DifferingNodes(
        added=tuple(NodeRef(**node) for node in document["added"]),
        removed=tuple(NodeRef(**node) for node in document["removed"]),
        changed=tuple(
            NodeChange(
                before=NodeRef(**node["before"]),
                after=NodeRef(**node["after"]),
                matched_by=node["matched_by"],
                changes=tuple(Change(**change) for change in node["changes"]),
                is_carried=bool(node.get("is_carried")),
            )
            for node in document["changed"]
        ),
    )
