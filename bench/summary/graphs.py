"""Graphs of the report: what an export's record says of the ONNX graph and of its agreement with the module."""

from __future__ import annotations

from collections.abc import Mapping

from bench.summary import facts
from bench.summary.elements import Graph, Parity
from suite.record import Record


def count_of(record: Record | None, metric: str) -> int | None:
    """The whole number that the record measured under that name, or has as a fact; None without either."""
    if record is None:
        return None
    measurement = record.measurement(metric)
    found = measurement.samples[0] if measurement and measurement.samples else None
    return facts.whole(record.facts.get(metric) if found is None else found)


def graph_of(export: Record | None) -> Graph | None:
    """The graph that the export left, or None."""
    if export is None:
        return None
    own = facts.mapping(export.facts.get("onnx"))
    artifact = next((a for a in export.artifacts if a.kind == "onnx"), None)
    if artifact is None and not own:
        return None
    return Graph(
        path=artifact.path if artifact else "",
        num_bytes=count_of(export, "onnx_bytes")
        or facts.whole(artifact.num_bytes if artifact else own.get("num_bytes")),
        opset=facts.whole(own.get("opset")),
        exporter=facts.text(own.get("exporter")),
        num_nodes=count_of(export, "onnx_nodes") or facts.whole(own.get("num_nodes")),
        operators=facts.counts(own.get("operators")),
    )


def parity_of(export: Record | None) -> Parity | None:
    """How the graph agreed with eager, or None when that was not looked at."""
    own = export.facts.get("parity") if export else None
    if not isinstance(own, Mapping):
        return None
    return Parity(
        verdict=str(own.get("verdict") or "unknown"),
        reason=str(own.get("reason") or ""),
        shapes=tuple(facts.entries(own.get("shapes"))),
    )
