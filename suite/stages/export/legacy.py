"""Worker side. Export through TorchScript tracing: the exporter that PyTorch deprecates, tried
last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from suite.flat_tensors import flatten_inputs
from suite.stages.export.dynamo import save
from suite.stages.export.flat import flat_forward

if TYPE_CHECKING:
    from suite.stages.export.recipes import Request

OPSET: Final = 18


def export(request: Request) -> None:
    """Writes the graph; raises torch.onnx's errors as they come."""
    import onnx_ir
    import torch

    flat = flatten_inputs(request.inputs)
    with torch.no_grad(), flat_forward(request.module, request.inputs):
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
    model = onnx_ir.load(request.path)
    save(model, request.path)
