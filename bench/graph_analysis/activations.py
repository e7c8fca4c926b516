"""Worker side. Which values of a graph tell what its layers give, and how they spread; one name in every state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any, Final

from bench.graph_analysis.record import Layer
from bench.graph_analysis.spread import spread_of
from bench.graph_analysis.static import layer_name
from bench.graph_diff.compare import shape_text
from bench.onnx_graph.names import bare
from bench.onnx_graph.record import Graph

DEQUANTIZED: Final = "_DequantizeLinear_Output"
"""What ONNX Runtime's quantizer puts behind the name of a value that it quantizes and takes back."""
MOST: Final = 300
"""Layers of one graph whose outputs are kept at once; a deeper one shows its first."""


def outputs_of_layers(graph: Graph) -> dict[str, str]:
    """Layer -> the float value that it gives, of every node of the main graph that multiplies; in order."""
    values = {value.name: value for node in graph.nodes for value in node.outputs}
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.macs == 0 or node.outer or not node.outputs:
            continue
        name = node.outputs[0].name
        # A quantized product gives integers; what it stands for follows under the plain name.
        if values[name].dtype.startswith(("int", "uint")) and bare(name) in values:
            name = bare(name)
        found.setdefault(layer_name(node.key), name)
        if len(found) == MOST:
            break
    return found


def shown_values(graphs: Sequence[Graph]) -> dict[str, str]:
    """Layer -> the value to be shown of it in all of these states of one model.

    Where a quantizer has put an activation into the layer before it, the value behind that is taken on every side, so
    that like is held against like.
    """
    every = [{value.name for node in graph.nodes for value in node.outputs} for graph in graphs]
    found: dict[str, str] = {}
    for graph in graphs:
        for layer, value in outputs_of_layers(graph).items():
            if layer not in found or all(value in names for names in every):
                found[layer] = value
    return found


def values_in(graph: Graph, shown: Mapping[str, str]) -> dict[str, str]:
    """Layer -> the value that tells of it in this state: behind its own quantization where it has one.

    A quantizer takes a ReLU away where the lowest code stands for zero: what the layer gives is right only behind the
    clipping, and only there it has the error that the next layer sees.
    """
    names = {value.name for node in graph.nodes for value in node.outputs}
    behind = {layer: f"{value}{DEQUANTIZED}" for layer, value in shown.items()}
    return {
        layer: behind[layer] if behind[layer] in names else value for layer, value in shown.items()
    }


def layers_from(
    values: Mapping[str, Any], own: Mapping[str, str], parent: Mapping[str, Any]
) -> tuple[Layer, ...]:
    """The spreads of these values; `own`: see `values_in`. `parent`: layer -> what the float state gives there, for
    the error of quantization.
    """
    layers = []
    for layer, name in own.items():
        array = values.get(name)
        if array is None or not hasattr(array, "dtype") or array.dtype.kind not in "fiu":
            continue
        spread = spread_of(array)
        if spread is None:
            continue
        layers.append(
            Layer(
                name=layer,
                actual=name,
                dtype=str(array.dtype),
                shape=shape_text(tuple(array.shape)),
                spread=spread,
                snr_db=snr_db(parent.get(layer), array),
            )
        )
    return tuple(layers)


def snr_db(before: Any, after: Any) -> float | None:
    """10 log10 of the power before over that of the difference; None where nothing differs or cannot be compared."""
    import numpy as np

    if before is None or before.shape != after.shape or before.dtype.kind != "f":
        return None
    a, b = before.astype(np.float64).reshape(-1), after.astype(np.float64).reshape(-1)
    power, noise = float(a @ a), float((b - a) @ (b - a))
    if not (np.isfinite(power) and np.isfinite(noise) and power > 0 and noise > 0):
        return None
    return 10 * log10(power / noise)
