"""Worker side. Float64 evaluation of a graph by ONNX's reference implementation: tells whether the graph or the runtime
causes a difference.

Some of ONNX Runtime's float32 kernels are less exact than PyTorch's (InstanceNormalization over long axes, DFT of
lengths that are not a power of two). A graph whose float64 output is right is correct.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

NARROW_ATTRIBUTES: Final = ("value_float", "value_floats")
"""Attributes of Constant that hold float32 numbers."""


def exact_outputs(path: Path, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the graph's outputs for these inputs, with every float32 number in float64.

    Raises what the reference implementation raises for operators that it does not know.
    """
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    _widen(model.graph)
    for function in model.functions:
        _widen_nodes(function.node)
    evaluator = ReferenceEvaluator(model, new_ops=_quick_operators())
    wide = {
        name: array.astype(np.float64) if array.dtype.kind == "f" else array
        for name, array in feeds.items()
    }
    return [np.asarray(output) for output in evaluator.run(None, wide)]


def _widen(graph: Any) -> None:
    """Convert every float32 in the graph and its subgraphs to float64, in place.

    float16 is kept: half precision inside a float32 graph is a fault of the graph.
    """
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    del graph.value_info[:]
    _widen_nodes(graph.node)


def _widen_nodes(nodes: Any) -> None:
    import onnx

    types = onnx.TensorProto
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _widen_tensor(attribute.t)
            elif attribute.type == onnx.AttributeProto.GRAPH:
                _widen(attribute.g)
            elif attribute.name in ("to", "dtype") and attribute.i == types.FLOAT:
                attribute.i = types.DOUBLE
            elif node.op_type == "Constant" and attribute.name in NARROW_ATTRIBUTES:
                values = [attribute.f] if attribute.name == "value_float" else attribute.floats
                shape = [] if attribute.name == "value_float" else [len(values)]
                tensor = onnx.helper.make_tensor("", types.DOUBLE, shape, list(values))
                attribute.CopyFrom(onnx.helper.make_attribute("value", tensor))
        if node.op_type == "ConstantOfShape" and not node.attribute:
            tensor = onnx.helper.make_tensor("", types.DOUBLE, [1], [0.0])
            node.attribute.append(onnx.helper.make_attribute("value", tensor))


def _widen_tensor(tensor: Any) -> None:
    import numpy as np
    import onnx

    types = onnx.TensorProto
    if tensor.data_type == types.FLOAT:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _quick_operators() -> list[Any]:
    """Return PyTorch float64 implementations of operators that the reference implements in Python loops, or wrongly."""
    import numpy as np
    import torch
    from onnx.reference.op_run import OpRun

    def padded(x: Any, auto_pad: Any, pads: Any, kernel: Any, strides: Any, dilations: Any) -> Any:
        """Return the input with ONNX's padding, which may be asymmetric."""
        spatial = len(kernel)
        how = auto_pad.decode() if isinstance(auto_pad, bytes) else auto_pad
        pads = list(pads or [0] * (2 * spatial))
        if how in ("SAME_UPPER", "SAME_LOWER"):
            # As many outputs as there are strides in the input; what cannot be halved goes to the end that is named.
            reach = [(size - 1) * d + 1 for size, d in zip(kernel, dilations, strict=True)]
            whole = [
                max(0, (-(-size // stride) - 1) * stride + wide - size)
                for size, stride, wide in zip(x.shape[2:], strides, reach, strict=True)
            ]
            less, more = [width // 2 for width in whole], [width - width // 2 for width in whole]
            pads = [*less, *more] if how == "SAME_UPPER" else [*more, *less]
        both = [
            width
            for axis in reversed(range(spatial))
            for width in (pads[axis], pads[axis + spatial])
        ]
        return torch.nn.functional.pad(torch.tensor(x), both)

    class Conv(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(  # type: ignore[no-untyped-def]
            self,
            x,
            w,
            b=None,
            auto_pad=None,
            dilations=None,
            group=None,
            kernel_shape=None,
            pads=None,
            strides=None,
        ):
            kernel = w.shape[2:]
            spatial = len(kernel)
            strides, dilations = list(strides or [1] * spatial), list(dilations or [1] * spatial)
            convolve = getattr(torch.nn.functional, f"conv{spatial}d")
            result = convolve(
                padded(x, auto_pad, pads, kernel, strides, dilations),
                torch.tensor(w),
                None if b is None else torch.tensor(b),
                stride=tuple(strides),
                dilation=tuple(dilations),
                groups=group or 1,
            )
            return (result.numpy(),)

    class Erf(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x):  # type: ignore[no-untyped-def]
            return (torch.special.erf(torch.tensor(x)).numpy(),)

    class Gelu(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x, approximate=None):  # type: ignore[no-untyped-def]
            how = approximate.decode() if isinstance(approximate, bytes) else approximate or "none"
            values = torch.tensor(x)
            return (torch.nn.functional.gelu(values, approximate=how).numpy(),)

    class GatherElements(OpRun):  # type: ignore[misc]
        """Replacement of the operator, because onnx 1.23 reads a row of a single element wrongly."""

        op_domain = ""

        def _run(self, data, indices, axis=None):  # type: ignore[no-untyped-def]
            return (np.take_along_axis(data, indices, axis=axis or 0),)

    return [Conv, Erf, Gelu, GatherElements]
