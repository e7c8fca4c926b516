"""Worker side. Export of transformers models through the library's own exporter, which patches what torch cannot
lower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.flat_tensors import flatten_inputs
from suite.stages.export.dynamo import limits_of, save
from suite.stages.export.quick_exporter import OPSET, quick_exporter

if TYPE_CHECKING:
    from suite.stages.export.recipes import ExportRequest, Limits


def export(request: ExportRequest) -> Limits:
    """Write the graph; raise the exporter's errors, and ValueError if it returns other outputs than requested."""
    from torch.export import Dim
    from transformers.exporters import OnnxConfig, OnnxExporter

    flat = flatten_inputs(request.inputs)
    shapes = {
        name: dict.fromkeys(request.dynamic.get(name, {}), Dim.DYNAMIC) or None for name in flat
    }
    config = OnnxConfig(
        dynamic=bool(request.dynamic),
        dynamic_shapes=shapes if request.dynamic else None,
        opset_version=OPSET,
    )
    with quick_exporter():
        exported = OnnxExporter().export(request.module, dict(flat), config)
    # transformers 5.17 returns torch's ONNXProgram with `.model`, later versions a wrapper with `.program`.
    model = exported.program if hasattr(exported, "program") else exported.model
    outputs = model.graph.outputs
    if len(outputs) != len(request.output_names):
        raise ValueError(
            f"the exporter returns {[o.name for o in outputs]}; expected {request.output_names}"
        )
    for value, name in zip(outputs, request.output_names, strict=True):
        value.name = name
    save(model, request.path)
    return limits_of(
        getattr(getattr(exported, "program", exported), "exported_program", None), request
    )
