"""Worker side. Transposed convolutions rewritten exactly as plain ones, the only kind with an 8-bit ONNX Runtime
kernel.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import Any

import numpy as np

from suite.quantization.nodes import drop_unused, scope_note


def rewrite_transposed(model: Any, excluded: Collection[str] = ()) -> list[str]:
    """Replace ConvTranspose nodes in place; return the names of those that were replaced.

    With stride s and a kernel of s*t, each of the s*s outputs of an input pixel depends on t*t input pixels: s*s
    convolutions with kernels of t*t, whose results are interleaved, compute the same (the sub-pixel convolution of
    https://arxiv.org/abs/1609.07009). Stride 1 is one convolution with the flipped kernel. Not replaced: groups,
    dilations, output paddings, sizes that are not s times the input's, unknown sizes.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    shapes = _shapes(model)
    done, weights = [], set()
    for node in list(model.graph.node):
        if node.op_type != "ConvTranspose" or node.name in excluded:
            continue
        weight = stored.get(node.input[1])
        size = shapes.get(node.input[0], [])[2:]
        if weight is None or not _is_plain(node, list(weight.dims[2:])) or not all(size):
            continue
        at = next(i for i, other in enumerate(model.graph.node) if other.name == node.name)
        model.graph.node.remove(node)
        for i, made in enumerate(_nodes(model, node, weight, size)):
            if (note := scope_note(node)) is not None:
                made.metadata_props.append(note)
            model.graph.node.insert(at + i, made)
        done.append(node.name)
        weights.add(weight.name)
    drop_unused(model, weights)
    return done


def phase_kernels(
    weight: np.ndarray[Any, Any], stride: int, pad: int
) -> list[tuple[np.ndarray[Any, Any], list[int]]]:
    """Return the kernels [out, in, t, t] and paddings (top, left, bottom, right) of the convolutions equivalent to the
    transposed one with `weight` [in, out, s*t, s*t], row phase first.

    Output s*q + a takes the taps k = r + s*u with r = (a + pad) mod s from input q + c - u, c = (a + pad - r) / s.
    """
    taps = weight.shape[2] // stride
    phases = []
    for rows, columns in product(range(stride), repeat=2):
        (r, top), (c, left) = ((p % stride, p // stride) for p in (rows + pad, columns + pad))
        kernel = weight[:, :, r::stride, c::stride][:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        begin = [taps - 1 - top, taps - 1 - left]
        phases.append((np.ascontiguousarray(kernel), [*begin, top, left]))
    return phases


def _is_plain(node: Any, kernel: list[int]) -> bool:
    """Return True if it enlarges by exactly its stride, or has stride 1; square and without special attributes."""
    found = {a.name: list(a.ints) or a.i for a in node.attribute}
    strides, pads = found.get("strides", [1, 1]), found.get("pads", [0] * 4)
    is_simple = (
        found.get("group", 1) == 1
        and set(found.get("dilations", [1])) == {1}
        and not any(found.get("output_padding", [0]))
        and "output_shape" not in found
        and not found.get("auto_pad", 0)
    )
    is_square = len(kernel) == 2 and len({*kernel}) == len({*strides}) == len({*pads}) == 1
    if not is_simple or not is_square:
        return False
    stride, pad = strides[0], pads[0]
    if stride == 1:
        return bool(pad < kernel[0])
    return bool(kernel[0] % stride == 0 and kernel[0] - stride == 2 * pad)


def _nodes(model: Any, node: Any, weight: Any, size: list[int]) -> list[Any]:
    """Return the equivalent nodes, and add the weights that they read to the model."""
    from onnx import helper, numpy_helper

    found = {a.name: list(a.ints) for a in node.attribute}
    stride, pad = found.get("strides", [1, 1])[0], found.get("pads", [0])[0]
    values = numpy_helper.to_array(weight)
    kernels = phase_kernels(values, stride, pad)
    made, outputs = [], []
    for i, (kernel, pads) in enumerate(kernels):
        name = f"{weight.name}_phase_{i}"
        if stride == 1:
            pads = [values.shape[2] - 1 - pad] * 4
        model.graph.initializer.append(numpy_helper.from_array(kernel, name))
        outputs.append(node.output[0] if stride == 1 else f"{node.output[0]}_phase_{i}")
        made.append(
            helper.make_node(
                "Conv",
                [node.input[0], name, *node.input[2:]],
                [outputs[-1]],
                f"{node.name}_phase_{i}",
                pads=pads,
                kernel_shape=list(kernel.shape[2:]),
            )
        )
    if stride == 1:
        return made
    return [*made, *_interleave(model, node, outputs, values.shape[1], stride, size)]


def _interleave(
    model: Any, node: Any, phases: list[str], channels: int, stride: int, size: list[int]
) -> list[Any]:
    """Move pixel (i, j) of phase (a, b) to (s*i + a, s*j + b), by operators that keep 8-bit values unconverted."""
    from onnx import helper, numpy_helper

    height, width = size
    name = node.name
    apart = np.array([-1, stride, stride, channels, height, width], np.int64)
    whole = np.array([-1, channels, stride * height, stride * width], np.int64)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(apart, f"{name}_apart"),
            numpy_helper.from_array(whole, f"{name}_whole"),
        ]
    )
    steps = [f"{name}_{step}" for step in ("joined", "split", "turned")]
    return [
        helper.make_node("Concat", phases, [steps[0]], f"{name}_Concat", axis=1),
        helper.make_node("Reshape", [steps[0], f"{name}_apart"], [steps[1]], f"{name}_Reshape_0"),
        helper.make_node(
            "Transpose", [steps[1]], [steps[2]], f"{name}_Transpose", perm=[0, 3, 4, 1, 5, 2]
        ),
        helper.make_node("Reshape", [steps[2], f"{name}_whole"], node.output, f"{name}_Reshape_1"),
    ]


def _shapes(model: Any) -> dict[str, list[int]]:
    """Return value -> extents, 0 where unknown."""
    values = (*model.graph.input, *model.graph.value_info, *model.graph.output)
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
