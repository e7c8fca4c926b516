"""A comparison as JSON: the stable document of docs/graphs.md."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from bench.graph_diff.difference import Change, Difference, DifferingNodes, NodeChange, NodeRef

SCHEMA: Final = 1
"""1: first version."""


def to_document(difference: Difference) -> dict[str, Any]:
    """The comparison as JSON-able data; numbers that JSON cannot say become null."""
    found: dict[str, Any] = _plain(asdict(difference))
    return {"schema": SCHEMA, "kind": "vitals graphs", "is_empty": difference.is_empty, **found}


def to_json(difference: Difference) -> str:
    """The document as indented text with a final newline."""
    document = to_document(difference)
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def nodes_from(document: Mapping[str, Any]) -> DifferingNodes:
    """The nodes of a document; raises KeyError, TypeError when it is none."""
    return DifferingNodes(
        added=tuple(NodeRef(**node) for node in document["added"]),
        removed=tuple(NodeRef(**node) for node in document["removed"]),
        changed=tuple(
            NodeChange(
                before=NodeRef(**node["before"]),
                after=NodeRef(**node["after"]),
                matched_by=node["matched_by"],
                changes=tuple(Change(**change) for change in node["changes"]),
            )
            for node in document["changed"]
        ),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # a lone surrogate is no text
    return value
