"""Static analysis of a graph's file: nodes, operators, bytes, and the spread of every weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.graph_analysis.record import Anatomy, Layer, Part, Port, layer_name, stamp_of
from bench.graph_analysis.spread import spread_of
from bench.graph_diff.compare import shape_text
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.read import read
from bench.onnx_graph.record import Graph, Tensor, Value
from bench.onnx_graph.sources import Source, parameters_of, sources_of, weights_of
from bench.onnx_graph.weights import Weights
from suite.axes import ORIGINAL

LEAST: Final = 2
"""Minimum number of elements for a weight; a smaller tensor is a constant of the arithmetic."""
WEIGHTS: Final = ("float", "float16", "bfloat16", "double")
"""Types whose tensors are weights; integers are weights only with a scale."""


def anatomy_of(
    path: Path,
    *,
    model: str,
    size: str = "",
    variant: str = ORIGINAL,
    relative: str = "",
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    graph: Graph | None = None,
) -> tuple[Anatomy, Graph]:
    """Return the anatomy of the graph without running it, and the graph itself. Raises GraphError if it cannot be read.

    `graph`: as it was read with these `sizes` and `shapes`; None = it is read here. `sizes` and `shapes`: see
    `bench.onnx_graph.read`. Weights whose bytes are missing are reported as a problem, not an error.
    """
    if graph is None:
        graph = read(path, sizes=sizes, shapes=shapes)
    weights, problems = weights_in(path, graph)
    counts = Counter(node.operator for node in graph.nodes)
    dtypes: dict[str, tuple[int, int]] = {}
    for tensor in graph.tensors:
        number, size_ = dtypes.get(tensor.dtype, (0, 0))
        dtypes[tensor.dtype] = (number + 1, size_ + tensor.num_bytes)
    found = Anatomy(
        model=model,
        size=size,
        variant=variant,
        path=relative or path.name,
        num_bytes=graph.num_bytes,
        stamp=stamp_of(path),
        producer=graph.producer,
        ir_version=graph.ir_version,
        opsets=graph.opsets,
        inputs=tuple(map(_port, graph.inputs)),
        outputs=tuple(map(_port, graph.outputs)),
        operators=tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        num_nodes=len(graph.nodes),
        initializer_bytes=graph.initializer_bytes,
        dtypes=tuple(
            (dtype, number, size_)
            for dtype, (number, size_) in sorted(dtypes.items(), key=lambda pair: -pair[1][1])
        ),
        macs=graph.macs,
        num_uncounted=graph.num_uncounted,
        sizes=graph.sizes,
        parts=tuple(
            Part(key=n.key, operator=n.operator, scope=n.scope, macs=n.macs)
            for n in graph.nodes
            if n.macs != 0 and not n.is_alternative
        ),
        weights=weights,
        problems=problems,
    )
    return found, graph


def weights_in(path: Path, graph: Graph) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """Return (the dequantized weights in the order of the file, one sentence for each that could not be read)."""
    behind = _sources(graph)
    scales = parameters_of(graph) | {n for s in behind.values() for n in (s.scale, s.zero_point)}
    layers, unread = [], []
    with Weights(path) as weights:
        for tensor in graph.tensors:
            source = behind.get(tensor.name)
            if tensor.name in scales or not _is_weight(tensor, source):
                continue
            if tensor.name not in weights or source is None:
                unread.append(f"{tensor.name[:80]}: computed, not stored")
                continue
            try:
                spread = spread_of(weights.numbers(source))
            except GraphError as error:
                unread.append(str(error))
                continue
            if spread is not None:
                layers.append(
                    Layer(
                        name=layer_name(tensor.name),
                        actual=tensor.name,
                        dtype=tensor.dtype,
                        shape=shape_text(tensor.shape),
                        spread=spread,
                    )
                )
    more = [f"{len(unread) - 3} more weights could not be read"] if len(unread) > 3 else []
    return tuple(layers), (*unread[:3], *more)


def _sources(graph: Graph) -> dict[str, Source]:
    """Return tensor -> how to read its numbers: with a scale if any node of the graph applies one."""
    plain = sources_of(graph)
    found = {t.name: plain[t.name] for t in graph.tensors if t.name in plain}
    for source in plain.values():
        if source.scale:
            found[source.tensor] = source
    for node in graph.nodes:
        for source in weights_of(node, plain).values():
            if source.scale:
                found[source.tensor] = source
    for name in [name for name, source in found.items() if not source.scale]:
        if f"{name}_scale" in found:
            zero = f"{name}_zero_point"
            found[name] = Source(
                tensor=name,
                scale=f"{name}_scale",
                zero_point=zero if zero in found else "",
                axis=0,
            )
    return found


def _is_weight(tensor: Tensor, source: Source | None) -> bool:
    elements = 1
    for extent in tensor.shape:
        elements *= extent
    if elements < LEAST:
        return False
    return tensor.dtype in WEIGHTS or (source is not None and bool(source.scale))


def _port(value: Value) -> Port:
    return Port(name=value.name, dtype=value.dtype, shape=shape_text(value.shape))
