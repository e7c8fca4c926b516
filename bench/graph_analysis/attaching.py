"""Conversion of an anatomy to Netron's attachment, which shows its numbers in Netron's sidebar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.graph_analysis.record import Anatomy, Layer
from bench.graph_analysis.spread import Spread
from bench.graph_analysis.static import layer_name
from bench.graph_diff.difference import Difference, tensor_errors
from bench.graph_diff.wording import changes_text
from bench.netron.attachment import attachment
from bench.onnx_graph.distribution import Histogram, histogram_text
from bench.onnx_graph.record import Graph
from suite import units


def attachment_of(
    graph: Graph, anatomy: Anatomy, difference: Difference | None = None, *, against: str = ""
) -> dict[str, Any]:
    """Return the document: MACs, latency and error of nodes; histogram, zeros and error of tensors and values.

    `difference`: from the state called `against`, added to the nodes.
    """
    errors = tensor_errors(difference) if difference else {}
    known = [layer for layer in anatomy.activations if layer.snr_db is not None]
    of_values = {layer.actual: layer.snr_db for layer in known if layer.snr_db is not None}
    by_layer = {layer.name: layer.snr_db for layer in known if layer.snr_db is not None}
    names = {node.key: layer_name(node.key) for node in graph.nodes}
    of_nodes = {key: by_layer[name] for key, name in names.items() if name in by_layer}
    document = attachment(
        graph,
        latency={p.key: p.seconds for p in anatomy.parts if p.seconds is not None},
        histograms={w.actual: histogram_of(w.spread) for w in anatomy.weights},
        errors={**of_nodes, **of_values, **errors},
        facts=_facts(anatomy),
    )
    rows = document["metrics"]
    if difference is not None:
        rows.extend(_changes(difference, f"against {against}"))
    for kind, layers in (("tensor", anatomy.weights), ("value", anatomy.activations)):
        for layer in layers:
            rows.extend(_rows(kind, layer))
    return document


def histogram_of(spread: Spread) -> Histogram:
    """Return the spread as a one-line histogram: neighbouring bins are merged in pairs."""
    pairs = zip(spread.counts[::2], spread.counts[1::2], strict=False)
    return Histogram(
        low=spread.low,
        high=spread.high,
        counts=tuple(a + b for a, b in pairs),
        num_other=spread.num_other,
    )


def _facts(anatomy: Anatomy) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {
        "state": anatomy.variant,
        "sparsity of the weights": units.percent(anatomy.sparsity),
    }
    if anatomy.seconds is not None:
        found["one profiled run"] = f"{units.seconds(anatomy.seconds)} on {anatomy.fed}"
    return found


def _changes(difference: Difference, name: str) -> Iterator[dict[str, Any]]:
    """Yield the changes of nodes, attached to nodes of the later state."""
    for node in difference.added:
        yield _row("node", node.drawn, name, "added")
    for change in difference.changed:
        yield _row("node", change.after.drawn, name, changes_text(change)[:200])


def _rows(kind: str, layer: Layer) -> list[dict[str, Any]]:
    spread = layer.spread
    rows = [
        ("mean ± deviation", f"{spread.mean:.3g} ± {spread.std:.3g}"),
        ("zeros", units.percent(spread.sparsity)),
    ]
    if kind == "value":
        rows.insert(0, ("activation", histogram_text(histogram_of(spread))))
    return [_row(kind, layer.actual, name, value) for name, value in rows]


def _row(kind: str, target: str, name: str, value: str) -> dict[str, Any]:
    # Netron uses the first line of a name as its key.
    return {"kind": kind, "target": target.split("\n", 1)[0], "name": name, "value": value}
