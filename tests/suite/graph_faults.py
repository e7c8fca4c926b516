"""Faults planted into good graphs: each function changes a ModelProto in place and returns where, or None where the
graph has nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

WEIGHTED: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN")
NORMS: Final = ("LayerNormalization", "InstanceNormalization", "GroupNormalization")

Fault = Callable[[Any, dict[str, Any]], str | None]
"""(graph, name of a value -> what it is on the example) -> where the fault is."""


def weight_scaled(model: Any, values: dict[str, Any]) -> str | None:
    """A layer's weights are 0.5% too large."""
    return _edit_weight(model, lambda w: w * np.float32(1.005))


def one_channel_scaled(model: Any, values: dict[str, Any]) -> str | None:
    """The weights of one output channel are 0.5% too large."""

    def edit(w: Any) -> Any:
        w = w.copy()
        w[0] *= np.float32(1.005)
        return w

    return _edit_weight(model, edit)


def channels_swapped(model: Any, values: dict[str, Any]) -> str | None:
    """Two output channels have changed places."""

    def edit(w: Any) -> Any:
        first = np.array(
            w[:, 0] if len(w) == 1 else w[0]
        )  # recurrent weights begin with a direction
        w = w.copy()
        rows = w[0] if len(w) == 1 else w
        rows[0] = rows[1]
        rows[1] = first.reshape(rows[1].shape)
        return w

    return _edit_weight(model, edit)


def bias_dropped(model: Any, values: dict[str, Any]) -> str | None:
    """A bias is zero."""
    held = _initializers(model)
    found = [
        node
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm")
        and len(node.input) > 2
        and node.input[2] in held
        and np.abs(numpy_helper.to_array(held[node.input[2]])).max() > 0
    ]
    biases = [node.input[2] for node in found] or [
        name
        for node in model.graph.node
        if node.op_type == "Add"
        for name in node.input
        if name in held
        and held[name].data_type == onnx.TensorProto.FLOAT
        and len(held[name].dims) == 1
        and np.abs(numpy_helper.to_array(held[name])).max() > 0
    ]
    if not biases:
        return None
    name = biases[len(biases) // 2]
    return _replace(model, name, np.zeros_like(numpy_helper.to_array(held[name])))


def norm_scale_dropped(model: Any, values: dict[str, Any]) -> str | None:
    """A normalization's scale is 3% off in one channel."""
    held = _initializers(model)
    nodes = [
        node
        for node in model.graph.node
        if node.op_type in NORMS and len(node.input) > 1 and node.input[1] in held
    ]
    if not nodes:
        return None
    name = nodes[len(nodes) // 2].input[1]
    scale = numpy_helper.to_array(held[name]).copy()
    scale[0] *= np.float32(1.03)
    return _replace(model, name, scale)


def another_epsilon(model: Any, values: dict[str, Any]) -> str | None:
    """A normalization adds 1e-3 to the variance in place of its own epsilon."""
    nodes = [node for node in model.graph.node if node.op_type in NORMS]
    if not nodes:
        return None
    node = nodes[len(nodes) // 2]
    for attribute in node.attribute:
        if attribute.name == "epsilon":
            attribute.f = 1e-3
            return str(node.name)
    return None


def tanh_gelu(model: Any, values: dict[str, Any]) -> str | None:
    """One GELU is the approximation by tanh."""
    nodes = [
        node
        for node in model.graph.node
        if node.op_type == "Gelu"
        and not any(a.name == "approximate" and a.s == b"tanh" for a in node.attribute)
    ]
    if not nodes:
        return None
    node = nodes[len(nodes) // 2]
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("approximate", "tanh"))
    return str(node.name)


def mask_ignored(model: Any, values: dict[str, Any]) -> str | None:
    """The attention mask is taken for ones."""
    if not any(value.name == "attention_mask" for value in model.graph.input):
        return None
    one = helper.make_tensor("", onnx.TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("Shape", ["attention_mask"], ["fault_shape"]),
        helper.make_node("ConstantOfShape", ["fault_shape"], ["fault_ones"], value=one),
    ]
    _rename(model, "attention_mask", "fault_ones")
    _insert(model, 0, nodes)
    return "attention_mask"


def kernel_transposed(model: Any, values: dict[str, Any]) -> str | None:
    """Height and width of a kernel have changed places, or a square matrix is transposed."""

    def edit(w: Any) -> Any:
        if w.ndim >= 4 and w.shape[-1] == w.shape[-2] > 1:
            return np.swapaxes(w, -1, -2).copy()
        return w.T.copy() if w.ndim == 2 and w.shape[0] == w.shape[1] else None

    return _edit_weight(model, edit)


def value_frozen(model: Any, values: dict[str, Any]) -> str | None:
    """A value in the middle is a constant: what it was for the example."""
    nodes = [
        node
        for node in model.graph.node
        if node.op_type in ("Relu", "Gelu", "Softmax", "Tanh", "Sigmoid", "LeakyRelu", "Add")
        and node.output[0] in values
        and node.output[0] not in _outputs(model)
        and values[node.output[0]].dtype == np.float32
        and values[node.output[0]].ndim > 1
    ]
    if not nodes:
        return None
    node = nodes[len(nodes) // 2]
    name = node.output[0]
    constant = numpy_helper.from_array(values[name].mean(axis=0, keepdims=True), "fault_constant")
    model.graph.initializer.append(constant)
    at = list(model.graph.node).index(node)
    zero = helper.make_tensor("", onnx.TensorProto.FLOAT, [1], [0.0])
    frozen = [
        helper.make_node("Shape", [name], ["fault_shape"]),
        helper.make_node("ConstantOfShape", ["fault_shape"], ["fault_zeros"], value=zero),
        helper.make_node("Add", ["fault_zeros", "fault_constant"], ["fault_frozen"]),
    ]
    _rename(model, name, "fault_frozen", after=at)
    _insert(model, at + 1, frozen)
    return str(node.name)


def padding_moved(model: Any, values: dict[str, Any]) -> str | None:
    """A convolution or pooling pads one side more and the other less."""
    for node in _from_the_middle(model, ("Conv", "MaxPool", "AveragePool")):
        for attribute in node.attribute:
            pads = list(attribute.ints)
            half = len(pads) // 2
            if attribute.name == "pads" and pads and pads[half - 1] > 0:
                attribute.ints[half - 1] -= 1
                attribute.ints[-1] += 1
                return str(node.name)
    return None


def outputs_swapped(model: Any, values: dict[str, Any]) -> str | None:
    """The first two outputs of one shape and type have changed places."""
    outputs = model.graph.output
    if len(outputs) < 2:
        return None
    first, second = outputs[0], outputs[1]
    if values[first.name].shape != values[second.name].shape:
        return None
    a, b = first.name, second.name
    for old, new in ((a, "fault_swap"), (b, a), ("fault_swap", b)):
        for node in model.graph.node:
            for place in (node.input, node.output):
                for i, name in enumerate(place):
                    if name == old:
                        place[i] = new
    return f"{a}, {b}"


def half_inside(model: Any, values: dict[str, Any]) -> str | None:
    """A value in the middle is rounded to float16."""
    return _after_middle(model, values, _half)


def half_late(model: Any, values: dict[str, Any]) -> str | None:
    """A late value is rounded to float16."""
    return _after_middle(model, values, _half, part=0.8)


def layer_skipped_for_one_sample(model: Any, values: dict[str, Any]) -> str | None:
    """The second sample of a batch does not get a residual branch's sum (its last value is halved instead)."""

    def halved(name: str, out: str) -> list[Any]:
        ndim = values[name].ndim
        shape = helper.make_tensor("", onnx.TensorProto.INT64, [ndim], [-1] + [1] * (ndim - 1))
        scalar = onnx.TensorProto.INT64
        return [
            helper.make_node("Shape", [name], ["f_shape"]),
            _constant("f_0", scalar, [0]),
            _constant("f_1", scalar, [1]),
            _constant("f_half", onnx.TensorProto.FLOAT, [0.5]),
            helper.make_node("Gather", ["f_shape", "f_0"], ["f_batch"]),
            helper.make_node("Range", ["f_0", "f_batch", "f_1"], ["f_index"]),
            helper.make_node("Equal", ["f_index", "f_1"], ["f_is"]),
            helper.make_node("Cast", ["f_is"], ["f_second"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", ["f_second", "f_half"], ["f_part"]),
            helper.make_node("Constant", [], ["f_dims"], value=shape),
            helper.make_node("Reshape", ["f_part", "f_dims"], ["f_wide"]),
            helper.make_node("Mul", [name, "f_wide"], ["f_taken"]),
            helper.make_node("Sub", [name, "f_taken"], [out]),
        ]

    return _after_middle(model, values, halved, batched=True)


def concat_reordered(model: Any, values: dict[str, Any]) -> str | None:
    """A concatenation has its first two parts in another order."""
    for node in _from_the_middle(model, ("Concat",)):
        own = [values.get(name) for name in node.input[:2]]
        if len(own) < 2 or any(v is None or v.dtype != np.float32 for v in own):
            continue
        if own[0].shape == own[1].shape:
            node.input[0], node.input[1] = node.input[1], node.input[0]
            return str(node.name)
    return None


def maximum_for_average(model: Any, values: dict[str, Any]) -> str | None:
    """A maximum pooling takes the average."""
    for node in _from_the_middle(model, ("MaxPool",)):
        if len(node.output) == 1:
            node.op_type = "AveragePool"
            kept = [a for a in node.attribute if a.name not in ("storage_order",)]
            del node.attribute[:]
            node.attribute.extend(kept)
            return str(node.name)
    return None


def nearest_for_linear(model: Any, values: dict[str, Any]) -> str | None:
    """A resize takes the nearest pixel."""
    for node in _from_the_middle(model, ("Resize",)):
        for attribute in node.attribute:
            if attribute.name == "mode" and attribute.s == b"linear":
                attribute.s = b"nearest"
                return str(node.name)
    return None


def activation_exchanged(model: Any, values: dict[str, Any]) -> str | None:
    """One ReLU lets a hundredth of negative values through."""
    nodes = [node for node in model.graph.node if node.op_type == "Relu"]
    if not nodes:
        return None
    node = nodes[len(nodes) // 2]
    node.op_type = "LeakyRelu"
    node.attribute.append(helper.make_attribute("alpha", 0.01))
    return str(node.name)


def position_shifted(model: Any, values: dict[str, Any]) -> str | None:
    """A table that is looked up by position is shifted by one row."""
    held = _initializers(model)
    for name, tensor in held.items():
        if "position" in name and len(tensor.dims) == 2 and tensor.dims[0] > 2:
            return _replace(model, name, np.roll(numpy_helper.to_array(tensor), 1, axis=0))
    return None


def recurrent_gates_swapped(model: Any, values: dict[str, Any]) -> str | None:
    """Two gates of a recurrent layer have changed places."""
    held = _initializers(model)
    for node in model.graph.node:
        if node.op_type in ("LSTM", "GRU") and node.input[1] in held:
            w = numpy_helper.to_array(held[node.input[1]]).copy()
            hidden = w.shape[1] // (4 if node.op_type == "LSTM" else 3)
            first = w[:, :hidden].copy()
            w[:, :hidden] = w[:, hidden : 2 * hidden]
            w[:, hidden : 2 * hidden] = first
            return _replace(model, node.input[1], w)
    return None


def softmax_scaled(model: Any, values: dict[str, Any]) -> str | None:
    """A softmax is 0.1% too large everywhere."""

    def larger(name: str, out: str) -> list[Any]:
        factor = _constant("f_factor", onnx.TensorProto.FLOAT, [1.001])
        return [factor, helper.make_node("Mul", [name, "f_factor"], [out])]

    return _after_middle(model, values, larger, kinds=("Softmax",))


FAULTS: Final[dict[str, Fault]] = {
    "weight 0.5% off": weight_scaled,
    "one channel 0.5% off": one_channel_scaled,
    "two channels swapped": channels_swapped,
    "bias dropped": bias_dropped,
    "norm's scale 3% off in one channel": norm_scale_dropped,
    "another epsilon": another_epsilon,
    "tanh for erf in GELU": tanh_gelu,
    "mask ignored": mask_ignored,
    "kernel transposed": kernel_transposed,
    "value frozen": value_frozen,
    "another padding": padding_moved,
    "outputs in another order": outputs_swapped,
    "half precision inside": half_inside,
    "half precision late": half_late,
    "half a layer for one sample": layer_skipped_for_one_sample,
    "parts of a concatenation swapped": concat_reordered,
    "average for maximum": maximum_for_average,
    "nearest for linear": nearest_for_linear,
    "leaky ReLU for ReLU": activation_exchanged,
    "positions shifted": position_shifted,
    "gates swapped": recurrent_gates_swapped,
    "softmax 0.1% off": softmax_scaled,
}


def _initializers(model: Any) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in model.graph.initializer}


def _edit_weight(model: Any, edit: Callable[[Any], Any]) -> str | None:
    """Edits the weights of a layer, from the middle of the graph on."""
    held = _initializers(model)
    for node in _from_the_middle(model, WEIGHTED):
        for name in node.input[:2]:
            if name in held and len(held[name].dims) > 1:
                edited = edit(numpy_helper.to_array(held[name]))
                if edited is not None and not np.array_equal(
                    edited, numpy_helper.to_array(held[name])
                ):
                    return _replace(model, name, edited)
    return None


def _from_the_middle(model: Any, kinds: Sequence[str]) -> list[Any]:
    nodes = [node for node in model.graph.node if node.op_type in kinds]
    return nodes[len(nodes) // 2 :] + nodes[: len(nodes) // 2]


def _outputs(model: Any) -> set[str]:
    return {value.name for value in model.graph.output}


def _replace(model: Any, name: str, array: Any) -> str:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return name


def _constant(name: str, kind: int, numbers: Sequence[float]) -> Any:
    return helper.make_node("Constant", [], [name], value=helper.make_tensor("", kind, [], numbers))


def _half(name: str, out: str) -> list[Any]:
    return [
        helper.make_node("Cast", [name], ["f_narrow"], to=onnx.TensorProto.FLOAT16),
        helper.make_node("Cast", ["f_narrow"], [out], to=onnx.TensorProto.FLOAT),
    ]


def _after_middle(
    model: Any,
    values: dict[str, Any],
    make: Callable[[str, str], list[Any]],
    *,
    kinds: Sequence[str] = (*WEIGHTED, "Relu", "Gelu", "Add", *NORMS),
    part: float = 0.5,
    batched: bool = False,
) -> str | None:
    """Puts nodes behind a value in the middle of the graph."""
    nodes = [
        node
        for node in model.graph.node
        if node.op_type in kinds
        and node.output[0] in values
        and node.output[0] not in _outputs(model)
        and values[node.output[0]].dtype == np.float32
        and (
            not batched
            or (values[node.output[0]].ndim > 1 and values[node.output[0]].shape[0] == 1)
        )
    ]
    if not nodes:
        return None
    node = nodes[min(len(nodes) - 1, int(len(nodes) * part))]
    at = list(model.graph.node).index(node)
    _rename(model, node.output[0], "fault_value", after=at)
    _insert(model, at + 1, make(node.output[0], "fault_value"))
    return str(node.name)


def _rename(model: Any, old: str, new: str, after: int = -1) -> None:
    """Lets the nodes behind `after` read `new` in place of `old`; an output of the graph stays one."""
    assert old not in _outputs(model), "a value that is an output has nothing behind it"
    for node in list(model.graph.node)[after + 1 :]:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new


def _insert(model: Any, at: int, nodes: Sequence[Any]) -> None:
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*kept[:at], *nodes, *kept[at:]])
