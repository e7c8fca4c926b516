"""An anatomy as Netron's attachment, so that its numbers stand in Netron's own sidebar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench import units
from bench.anatomy.record import Anatomy, Layer
from bench.anatomy.spread import Spread
from bench.graphs.distribution import Histogram, histogram_text
from bench.graphs.record import Graph
from bench.netron.attachment import attachment


def attachment_of(
    graph: Graph,
    anatomy: Anatomy,
    errors: Mapping[str, float],
    facts: Mapping[str, str | int | float],
) -> dict[str, Any]:
    """The document: of nodes MACs, latency and error, of tensors and values histogram, zeros and error.

    `errors`: tensor -> signal to noise in dB. `facts`: what is to stand at the model.
    """
    makers = {value.name: node.key for node in graph.nodes for value in node.outputs}
    of_values = {a.actual: a.snr_db for a in anatomy.activations if a.snr_db is not None}
    of_nodes = {makers[value]: snr for value, snr in of_values.items() if value in makers}
    document = attachment(
        graph,
        latency={p.key: p.seconds for p in anatomy.parts if p.seconds is not None},
        histograms={w.actual: histogram_of(w.spread) for w in anatomy.weights},
        errors={**of_nodes, **of_values, **errors},
        facts={**_facts(anatomy), **facts},
    )
    rows = document["metrics"]
    for kind, layers in (("tensor", anatomy.weights), ("value", anatomy.activations)):
        for layer in layers:
            rows.extend(_rows(kind, layer))
    return document


def histogram_of(spread: Spread) -> Histogram:
    """The spread as a histogram that can be told in a line: every second bin joined to the one before."""
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


def _rows(kind: str, layer: Layer) -> list[dict[str, Any]]:
    spread = layer.spread
    rows = [
        ("mean ± deviation", f"{spread.mean:.3g} ± {spread.std:.3g}"),
        ("zeros", units.percent(spread.sparsity)),
    ]
    if kind == "value":
        rows.insert(0, ("activation", histogram_text(histogram_of(spread))))
    target = layer.actual.split("\n", 1)[0]
    return [{"kind": kind, "target": target, "name": n, "value": v} for n, v in rows]
