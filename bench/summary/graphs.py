"""ONNX graphs of a report: size and content of an export's graph, and its agreement with the module."""

from __future__ import annotations

from bench.summary.elements import Graph, Parity
from bench.summary.numbers import by_count, finite
from diagnostics.codec import encode
from suite.record import Record
from suite.results.export import ExportResult, OnnxSummary


def count_of(record: Record | None, metric: str) -> int | None:
    """Return the integer that the record measured under that name; None if there is none."""
    measurement = record.measurement(metric) if record else None
    found = finite(measurement.samples[0]) if measurement and measurement.samples else None
    return None if found is None else int(found)


def graph_of(export: Record | None) -> Graph | None:
    """Return the graph that the export left, or None."""
    if export is None:
        return None
    summary = export.result.onnx if isinstance(export.result, ExportResult) else None
    artifact = next((a for a in export.artifacts if a.kind == "onnx"), None)
    if artifact is None and summary is None:
        return None
    own = summary or OnnxSummary()
    num_bytes, num_nodes = count_of(export, "onnx_bytes"), count_of(export, "onnx_nodes")
    stored = artifact.num_bytes if artifact else own.num_bytes
    return Graph(
        path=artifact.path if artifact else "",
        num_bytes=num_bytes or stored,
        opset=own.opset,
        exporter=own.exporter,
        num_nodes=num_nodes or own.num_nodes,
        operators=by_count(own.operators),
    )


def parity_of(export: Record | None) -> Parity | None:
    """Return how the graph agreed with eager; None if that was not compared."""
    result = export.result if export else None
    if not isinstance(result, ExportResult) or result.parity is None:
        return None
    return Parity(
        verdict=result.parity.verdict or "unknown",
        reason=result.parity.reason,
        shapes=tuple(encode(shape, sparse=True) for shape in result.parity.shapes),
    )
