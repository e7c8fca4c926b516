"""Worker side. Activations of a graph: the value that represents each layer's output, named alike in every state, and
its distribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any, Final

from bench.graph_analysis.modules import node_names, scopes_in
from bench.graph_analysis.record import Layer
from bench.graph_analysis.spread import spread_of
from bench.graph_diff.compare import shape_text
from bench.onnx_graph.names import bare
from bench.onnx_graph.record import Graph

DEQUANTIZED: Final = "_DequantizeLinear_Output"
"""Suffix that ONNX Runtime's quantizer adds to the name of a value that it quantizes and dequantizes."""
MOST: Final = 300
"""Maximum number of layers of one graph whose outputs are kept; a deeper graph shows its first."""


def outputs_of_layers(graph: Graph, scopes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return layer -> float output, for every multiplying node of the main graph, in order; `scopes`: those of all
    states (`bench.graph_analysis.modules.scopes_in`), None for the graph's own.
    """
    multiplying = [n for n in graph.nodes if n.macs != 0 and not n.outer and n.outputs]
    names = node_names(multiplying, scopes_in([graph.nodes]) if scopes is None else scopes)
    values = {value.name: value for node in graph.nodes for value in node.outputs}
    found: dict[str, str] = {}
    for node in multiplying:
        name = node.outputs[0].name
        # A quantized product gives integers; the float value follows under the plain name.
        if values[name].dtype.startswith(("int", "uint")) and bare(name) in values:
            name = bare(name)
        found.setdefault(names[node.key], name)
        if len(found) == MOST:
            break
    return found


def shown_values(graphs: Sequence[Graph]) -> dict[str, str]:
    """Return layer -> the value to show for it in all of these states of one model.

    If a quantizer has fused an activation into the layer before it, the value after the activation is used for every
    state, so that equivalent values are compared.
    """
    scopes = scopes_in(graph.nodes for graph in graphs)
    every = [{value.name for node in graph.nodes for value in node.outputs} for graph in graphs]
    found: dict[str, str] = {}
    for graph in graphs:
        for layer, value in outputs_of_layers(graph, scopes).items():
            if layer not in found or all(value in names for names in every):
                found[layer] = value
    return found


def values_in(graph: Graph, shown: Mapping[str, str]) -> dict[str, str]:
    """Return layer -> the value that represents it in this state: after its own quantization if it has one.

    A quantizer removes a ReLU if the lowest code represents zero: the layer's output is then correct only after
    clipping, and only there has the error that the next layer sees.
    """
    names = {value.name for node in graph.nodes for value in node.outputs}
    behind = {layer: f"{value}{DEQUANTIZED}" for layer, value in shown.items()}
    return {
        layer: behind[layer] if behind[layer] in names else value for layer, value in shown.items()
    }


def layers_from(
    values: Mapping[str, Any], own: Mapping[str, str], parent: Mapping[str, Any]
) -> tuple[Layer, ...]:
    """Return the distributions of these values. `own`: see `values_in`. `parent`: layer -> its output in the float
    state, for the error of quantization.
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
    """Return 10 log10 of the power before over that of the difference; None if they are equal or not comparable."""
    import numpy as np

    if before is None or before.shape != after.shape or before.dtype.kind != "f":
        return None
    a, b = before.astype(np.float64).reshape(-1), after.astype(np.float64).reshape(-1)
    power, noise = float(a @ a), float((b - a) @ (b - a))
    if not (np.isfinite(power) and np.isfinite(noise) and power > 0 and noise > 0):
        return None
    return 10 * log10(power / noise)
