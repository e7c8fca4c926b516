"""Worker side. Export through TorchScript tracing: the exporter that PyTorch deprecates, tried last."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from suite.flat_tensors import flatten_inputs, flatten_outputs
from suite.stages.export.control_flow import FrozenValueError, refuse_frozen_values
from suite.stages.export.dynamo import limits_of, save
from suite.stages.export.flat import flat_forward

if TYPE_CHECKING:
    from suite.stages.export.recipes import ExportRequest, Limits

OPSET: Final = 18


UNRECORDED: Final = re.compile(r"Converting a tensor to a (NumPy array|Python list)")
"""Tracer warning for values that leave PyTorch altogether, so that no other value can be tried."""
BRANCH: Final = "Converting a tensor to a Python boolean"
"""Tracer warning for Python branches on a tensor, including shapes."""


def export(request: ExportRequest) -> Limits:
    """Write the graph; raise torch.onnx's errors unchanged, and FrozenValueError if one trace does not represent the
    module.
    """
    import onnx_ir
    import torch

    refuse_frozen_values(
        request.module, request.inputs, lambda result: flatten_outputs(result, request.outputs)
    )
    flat = flatten_inputs(request.inputs)
    with (
        warnings.catch_warnings(record=True) as warned,
        torch.no_grad(),
        flat_forward(request.module, request.inputs, request.outputs),
    ):
        warnings.simplefilter("always")  # including torch.jit.TracerWarning
        torch.onnx.export(
            request.module,
            tuple(flat.values()),
            request.path,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(flat),
            output_names=request.output_names,
            dynamic_axes={name: dict(axes) for name, axes in request.dynamic.items()},
        )
    for warning in warned:
        print(f"{Path(warning.filename).name}:{warning.lineno}: {warning.message}")
        if UNRECORDED.search(str(warning.message)):
            raise FrozenValueError(
                f"forward takes a tensor's values out of PyTorch ({Path(warning.filename).name}:{warning.lineno}), and"
                " the tracer keeps those of the example"
            )
    save(onnx_ir.load(request.path), request.path)
    return branch_limits(request) if any(BRANCH in str(w.message) for w in warned) else {}


def branch_limits(request: ExportRequest) -> Limits:
    """Return the extents between which the example's branches hold, according to torch.export; empty if it cannot
    export the module.

    To a tracer every shape is a tensor, and a branch on one is frozen like a branch on a value.
    """
    import torch

    flat = flatten_inputs(request.inputs)
    dynamic = torch.export.Dim.DYNAMIC
    shapes = tuple(dict.fromkeys(request.dynamic.get(name, ()), dynamic) or None for name in flat)
    try:
        with torch.no_grad(), flat_forward(request.module, request.inputs, request.outputs):
            exported = torch.export.export(
                request.module, tuple(flat.values()), dynamic_shapes=shapes, strict=False
            )
        return limits_of(exported, request)
    except Exception as error:
        print(f"torch.export does not tell the limits of this graph: {type(error).__name__}")
        return {}
