"""Netron's attachment format: a JSON file next to a model, whose numbers its sidebar shows.

Netron looks items up by name: nodes, values and tensors without a name get nothing. Origin of the format:
https://github.com/lutzroeder/netron/pull/1418.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.onnx_graph.distribution import Histogram, histogram_text
from bench.onnx_graph.record import Graph
from bench.output.json_text import to_json
from suite import units

SIGNATURE: Final = "netron:attachment"
ERROR: Final = "quantization SNR"


def attachment(
    graph: Graph,
    *,
    latency: Mapping[str, float] | None = None,
    histograms: Mapping[str, Histogram] | None = None,
    errors: Mapping[str, float] | None = None,
    facts: Mapping[str, str | int | float] | None = None,
) -> dict[str, Any]:
    """Return the document; MACs come from the graph's nodes.

    `latency`: node's key -> seconds. `histograms`: tensor -> histogram of its elements. `errors`: name of a node, value
    or tensor -> signal-to-noise ratio of its quantization in dB. `facts`: entries for the model, such as its latency.
    """
    rows = [
        *_of_nodes(graph, latency or {}),
        *_of_tensors(histograms or {}),
        *_of_errors(graph, errors or {}),
        _row("graph", graph.name, "MACs", graph.macs),
    ]
    if graph.num_uncounted:
        rows.append(_row("graph", graph.name, "nodes with open shapes", graph.num_uncounted))
    return {
        "signature": SIGNATURE,
        "metadata": [_row("model", "", name, value) for name, value in (facts or {}).items()],
        "metrics": rows,
    }


def write_attachment(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document; raise ValueError if the name does not end in .json, which Netron requires, or OSError."""
    if path.suffix.lower() != ".json":
        raise ValueError(f"{path}: expected a name that ends in .json; Netron ignores any other")
    path.write_text(to_json(document), encoding="utf-8", errors="replace")


def _of_nodes(graph: Graph, latency: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    macs, seconds = graph.macs, sum(latency.values())
    for node in graph.nodes:
        if node.macs:
            share = units.percent(node.macs / macs)
            yield _row("node", node.key, "MACs", f"{node.macs:,} ({share})")
        elif node.macs is None:
            yield _row("node", node.key, "MACs", "open shapes")
        if node.key in latency:
            one = latency[node.key]
            share = units.percent(one / seconds) if seconds else units.ABSENT
            yield _row("node", node.key, "latency", f"{units.seconds(one)} ({share})")


def _of_tensors(histograms: Mapping[str, Histogram]) -> Iterator[dict[str, Any]]:
    for name, histogram in histograms.items():
        yield _row("tensor", name, "histogram", histogram_text(histogram))


def _of_errors(graph: Graph, errors: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    kinds = {
        "node": {node.key for node in graph.nodes},
        "value": {v.name for n in graph.nodes for v in n.outputs} | {v.name for v in graph.inputs},
        "tensor": {tensor.name for tensor in graph.tensors},
    }
    for name, value in errors.items():
        for kind, names in kinds.items():
            if name in names:
                yield _row(kind, name, ERROR, f"{value:.1f} dB")


def _row(kind: str, target: str, name: str, value: str | int | float) -> dict[str, Any]:
    # Netron uses the first line of a name as its key.
    return {"kind": kind, "target": target.split("\n", 1)[0], "name": name, "value": value}
