"""Worker side. A graph in which every layer can be switched to 8 bits by itself: one session for all questions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from suite.quantization.count import INTEGER, TABLE
from suite.quantization.embeddings import quantize_rows
from suite.quantization.errors import QuantizationError
from suite.quantization.nodes import scopes_of
from suite.quantization.prepare import prepare
from suite.quantization.transposed import rewrite_transposed
from suite.results.quantize import EightBitTypes, QuantizationReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

Feeds = Mapping[str, "NDArray[Any]"]

CHANNELS: Final = {"Conv": 0, "MatMul": 1, "Gather": 0}
"""Operator -> axis of its weight that has a scale per channel; Gemm's depends on transB, LSTM's weights have two."""

WEIGHTS: Final = {"Gather": (0,), "LSTM": (1, 2)}
"""Operator -> inputs that are weights, if not the second alone."""

CLAMPS: Final = ("Clip", "Relu")
"""Operators that the quantizer replaces by the bounds of an 8-bit number: the range is then that of their input."""

RENAMED: Final = ("", "_quant", "_MatMul_quant")
"""What the dynamic quantizer appends to the name of a layer; a Gemm is first a MatMul of its own."""

DEQUANTIZE: Final = "DequantizeLinear"

SEVEN_BITS, EIGHT_BITS = 64, 127
"""Largest magnitudes of a weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that can be computed in 8 bits."""

    name: str
    """As an exclusion names it: its node in the graph that is quantized."""
    operator: str
    scope: str
    """Innermost module; empty if unknown."""
    nodes: tuple[str, ...]
    """Nodes that are switched together: a transposed convolution is several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """An open session on a graph with switches."""

    session: Any
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    """Inputs of the graph itself."""

    def run(self, feeds: Feeds, on: Collection[str] = ()) -> list[NDArray[Any]]:
        """Return the outputs with the layers of these names in 8 bits and all others in float."""
        switches = {
            switch_of(node): np.array(layer.name in on)
            for layer in self.layers
            for node in layer.nodes
        }
        found: list[NDArray[Any]] = self.session.run(
            None, {**{name: feeds[name] for name in self.inputs}, **switches}
        )
        return found


def switch_of(node: str) -> str:
    """Return the input of the graph that turns a node's 8 bits on."""
    return f"{node}:in_8_bits"


def open_switched(
    floating: Any,
    quantized: Any,
    nodes: Iterable[str],
    types: EightBitTypes | None,
    folder: Path,
    *,
    threads: int = 1,
    profile: bool = False,
) -> Switched:
    """Return a session on the float graph in which each of these nodes has a second form, in 8 bits.

    `floating` is the prepared graph, `quantized` the one that was made from it, which tells the ranges of activations;
    where it has none (dynamic quantization) they are those of the input. Weights are rounded per channel as the
    quantizer does, to seven bits if the types say so. The two forms are the branches of an If, so only the one that is
    switched on is computed, and the rest of the graph costs what it costs in float. The graph is written to `folder`.
    """
    import onnx
    import onnxruntime

    model, layers = switched(floating, quantized, nodes, types)
    path = folder / "switched.onnx"
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        location="switched.data",
        convert_attribute=False,
        size_threshold=1024,
    )
    inputs = tuple(value.name for value in floating.graph.input)
    stored = {tensor.name for tensor in floating.graph.initializer}
    del model
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Layout changes around every single layer would cost more than they save.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.enable_profiling = profile
    options.profile_file_prefix = str(folder / "profile")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Switched(
        session=session,
        layers=layers,
        inputs=tuple(name for name in inputs if name not in stored),
    )


def open_for(
    graph: Path,
    quantized: Path,
    report: QuantizationReport,
    folder: Path,
    *,
    excluded: Collection[str] = (),
    threads: int = 1,
    profile: bool = False,
) -> Switched:
    """Return a session on a float graph with a switch for every layer that the quantized one, made of it, has in 8
    bits. Raise QuantizationError when there is none.
    """
    import onnx

    prepared = prepare(graph, folder, excluded)
    if report.rewritten:
        rewrite_transposed(prepared.model, prepared.excluded)
    after = onnx.load(quantized)
    nodes = layer_nodes(prepared.model, after, report.embeddings)
    if not nodes:
        raise QuantizationError(
            f"{quantized.name}: no layer in 8 bits has a counterpart in {graph.name}; expected a graph made of it"
        )
    return open_switched(
        prepared.model, after, nodes, report.types, folder, threads=threads, profile=profile
    )


def switched(
    floating: Any, quantized: Any, nodes: Iterable[str], types: EightBitTypes | None
) -> tuple[Any, tuple[Layer, ...]]:
    """Return the graph with a switch for each of these nodes, and the layers."""
    import onnx
    from onnx import TensorProto, helper

    wanted, largest = set(nodes), SEVEN_BITS if types and types.reduce_range else EIGHT_BITS
    ranges = ranges_in(quantized)
    graph = floating.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    made, added, switches = [], [], []
    layers: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.name not in wanted:
            made.append(node)
            continue
        low, weights = _in_8_bits(node, stored, makers, ranges, largest)
        added += weights
        high = [_renamed(node, "float")]
        outputs = [
            [
                helper.make_tensor_value_info(f"{o}:{form}", TensorProto.FLOAT, None)
                for o in node.output
                if o
            ]
            for form in ("low", "float")
        ]
        name = switch_of(node.name)
        switches.append(helper.make_tensor_value_info(name, TensorProto.BOOL, []))
        made.append(
            helper.make_node(
                "If",
                [name],
                [o for o in node.output if o],
                node.name,
                then_branch=helper.make_graph(low, f"{node.name}:low", [], outputs[0]),
                else_branch=helper.make_graph(high, f"{node.name}:float", [], outputs[1]),
            )
        )
        layers.setdefault(whole_name(node.name), []).append(node)
    changed = onnx.ModelProto()
    changed.CopyFrom(_without_nodes(floating))
    changed.graph.node.extend(made)
    changed.graph.initializer.extend(added)
    changed.graph.input.extend(switches)
    return changed, tuple(
        Layer(
            name=name,
            operator=parts[0].op_type,
            scope=module_of(parts[0]),
            nodes=tuple(part.name for part in parts),
        )
        for name, parts in layers.items()
    )


def module_of(node: Any) -> str:
    """Return the innermost module that a node is of, `layer1.0`; empty if unknown. The call itself comes after it."""
    scopes = scopes_of(node)
    return scopes[-2] if len(scopes) > 1 else "".join(scopes)


def whole_name(node: str) -> str:
    """Return the node that a node was made from: the phases of a transposed convolution are one layer."""
    return node.split("_phase_")[0]


def ranges_in(quantized: Any) -> dict[str, tuple[Any, Any]]:
    """Return tensor -> (scale, zero point) as stored, for the tensors that a graph quantizes."""
    stored = {tensor.name: tensor for tensor in quantized.graph.initializer}
    return {
        node.input[0]: (stored[node.input[1]], stored[node.input[2]])
        for node in quantized.graph.node
        if node.op_type == "QuantizeLinear" and {*node.input[1:3]} <= stored.keys()
    }


def layer_nodes(floating: Any, quantized: Any, embeddings: Collection[str] = ()) -> list[str]:
    """Return the nodes of the float graph that the quantized one computes in 8 bits, with their tables."""
    makers = {output: node for node in quantized.graph.node for output in node.output}
    after = {node.name: node for node in quantized.graph.node}
    integer = {name for name, node in after.items() if node.op_type in INTEGER}
    stored = {tensor.name for tensor in floating.graph.initializer}

    def is_in_8_bits(node: Any) -> bool:
        if node.op_type == TABLE:
            return node.input[0] in embeddings
        if not integer.isdisjoint(f"{node.name}{suffix}" for suffix in RENAMED):
            return True
        own = after.get(node.name)
        if own is None or len(own.input) < 2 or node.input[1] not in stored:
            return False
        sources = [makers.get(name) for name in own.input[:2]]
        return all(source is not None and source.op_type == DEQUANTIZE for source in sources)

    return [node.name for node in floating.graph.node if is_in_8_bits(node)]


def shares_of_time(switched: Switched) -> dict[str, float]:
    """Return layer -> share (0..1) of the time of the runs since the session was opened, and end its profile."""
    events = json.loads(Path(switched.session.end_profiling()).read_text(encoding="utf-8"))
    owner = {node: layer.name for layer in switched.layers for node in layer.nodes}
    whole = sum(event["dur"] for event in events if event.get("name") == "model_run")
    total: Counter[str] = Counter()
    for event in events:
        name = event.get("name", "").removesuffix("_kernel_time")
        if event.get("cat") == "Node" and event.get("name") != name and name in owner:
            total[owner[name]] += event["dur"]
    return {name: total[name] / max(1, whole) for name in owner.values()}


def _without_nodes(model: Any) -> Any:
    import onnx

    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    del copied.graph.node[:]
    return copied


def _renamed(node: Any, form: str, inputs: Sequence[str] = ()) -> Any:
    """Return the node inside a branch: other outputs, and other inputs if given."""
    import onnx

    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    copied.name = f"{node.name}:{form}"
    if inputs:
        del copied.input[:]
        copied.input.extend(inputs)
    del copied.output[:]
    copied.output.extend(f"{output}:{form}" if output else "" for output in node.output)
    return copied


def _in_8_bits(
    node: Any,
    stored: Mapping[str, Any],
    makers: Mapping[str, Any],
    ranges: Mapping[str, Any],
    largest: int,
) -> tuple[list[Any], list[Any]]:
    """Return the nodes of a layer's form in 8 bits, and the tensors that they read."""
    from onnx import helper, numpy_helper

    added, before, inputs = [], [], list(node.input)
    for place in WEIGHTS.get(node.op_type, (1,)):
        name = f"{node.name}:weight_{place}"
        rounded = rounded_weight(node, numpy_helper.to_array(stored[node.input[place]]), largest)
        added.append(numpy_helper.from_array(rounded, name))
        inputs[place] = name
    activation = node.input[0]
    if node.op_type not in ("Gather", "LSTM"):
        found = range_of(activation, makers, ranges)
        scale, zero, codes, rounded_name = (
            f"{node.name}:{k}" for k in ("scale", "zero", "codes", "x")
        )
        if found is None:
            before.append(
                helper.make_node("DynamicQuantizeLinear", [activation], [codes, scale, zero], codes)
            )
        else:
            added += [_copied(found[0], scale), _copied(found[1], zero)]
            before.append(
                helper.make_node("QuantizeLinear", [activation, scale, zero], [codes], codes)
            )
        before.append(
            helper.make_node("DequantizeLinear", [codes, scale, zero], [rounded_name], rounded_name)
        )
        inputs[0] = rounded_name
    layer = _renamed(node, "low", inputs)
    own = ranges.get(node.output[0]) if node.op_type not in ("Gather", "LSTM") else None
    if own is None:
        return [*before, layer], added
    out = layer.output[0]
    layer.output[0] = f"{out}:exact"
    scale, zero, codes = (f"{node.name}:out_{k}" for k in ("scale", "zero", "codes"))
    added += [_copied(own[0], scale), _copied(own[1], zero)]
    after = [
        helper.make_node("QuantizeLinear", [layer.output[0], scale, zero], [codes], codes),
        helper.make_node("DequantizeLinear", [codes, scale, zero], [out], f"{codes}_back"),
    ]
    return [*before, layer, *after], added


def range_of(
    tensor: str, makers: Mapping[str, Any], ranges: Mapping[str, tuple[Any, Any]]
) -> tuple[Any, Any] | None:
    """Return scale and zero point of a tensor of the float graph: its own, or of what a removed clamp read."""
    while tensor not in ranges:
        maker = makers.get(tensor)
        if maker is None or maker.op_type not in CLAMPS:
            return None
        tensor = maker.input[0]
    return ranges[tensor]


def rounded_weight(node: Any, weight: NDArray[Any], largest: int) -> NDArray[Any]:
    """Return the weight as its 8-bit form reads: symmetric, a scale per channel of the output."""
    if node.op_type == "Gather":
        values, scales = quantize_rows(weight)
        return (values * scales).astype(np.float32)
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    channel = CHANNELS.get(node.op_type, 0 if transposed else 1)
    kept = (0, 1) if node.op_type == "LSTM" else (channel,)
    axes = tuple(axis for axis in range(weight.ndim) if axis not in kept)
    scale = np.abs(weight).max(axis=axes, keepdims=True) / largest
    scale = np.where(scale > 0, scale, 1.0)
    return (np.clip(np.rint(weight / scale), -largest, largest) * scale).astype(np.float32)


def _copied(tensor: Any, name: str) -> Any:
    import onnx

    copied = onnx.TensorProto()
    copied.CopyFrom(tensor)
    copied.name = name
    return copied
