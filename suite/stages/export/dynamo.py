"""Worker side. Export through torch.export: `torch.onnx.export(dynamo=True)`."""

from __future__ import annotations

from collections.abc import Container
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suite.flat_tensors import flatten_inputs
from suite.stages.export.flat import flat_forward
from suite.stages.export.recurrent import recurrent_loops
from suite.stages.export.rewrites import quick_rewrites

if TYPE_CHECKING:
    from suite.stages.export.recipes import Request

OPSET: Final = 20
"""The default of torch.onnx.export since 2.9."""

ONE_FILE: Final = 1_500_000_000
"""Bytes of weights up to which the graph is one file; protobuf ends at 2 GiB."""

LEAKS: Final = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node")
"""Node metadata that holds absolute paths of the machine; `namespace` and `name_scopes` hold
module names and stay."""


def export(request: Request) -> None:
    """Writes the graph; raises torch.onnx's errors as they come."""
    import torch

    flat = flatten_inputs(request.inputs)
    shapes = {name: dict(request.dynamic.get(name, {})) or None for name in flat}
    with ExitStack() as patches:
        if request.dynamic:
            patches.enter_context(recurrent_loops())
        patches.enter_context(torch.no_grad())
        patches.enter_context(quick_rewrites())
        patches.enter_context(flat_forward(request.module, request.inputs))
        program = torch.onnx.export(
            request.module,
            tuple(flat.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(flat),
            output_names=request.output_names,
            dynamic_shapes=shapes if request.dynamic else None,
            verbose=False,
        )
    assert program is not None, "torch.onnx.export with dynamo=True returns a program"
    share_constants(program.model, request.module.state_dict())
    save(program.model, request.path)


def share_constants(model: Any, parameters: Container[str]) -> None:
    """Keeps one of the constants that are the same to the bit, in place, parameters of the module aside.

    The exporter folds a transposed weight anew for each use of it: an RNN that is unrolled over 28 steps, and small
    enough to be folded, would carry its weights 28 times.
    """
    from onnx_ir.convenience import replace_all_uses_with

    first: dict[tuple[Any, ...], Any] = {}
    for name, value in list(model.graph.initializers.items()):
        if name in parameters or value.const_value is None or value.is_graph_output():
            continue
        tensor = value.const_value
        kept = first.setdefault((tensor.dtype, tuple(tensor.shape), tensor.tobytes()), value)
        if kept is not value:
            replace_all_uses_with(value, kept)
            del model.graph.initializers[name]


def save(model: Any, path: Path) -> None:
    """Writes an onnx_ir model without traces of this machine, as one file up to ONE_FILE, else
    with `<path>.data`.
    """
    import onnx_ir

    scrub(model)
    weights = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value)
    external = f"{path.name}.data" if weights > ONE_FILE else None
    onnx_ir.save(model, path, external_data=external)


def scrub(model: Any) -> None:
    """Drops doc strings and the metadata in LEAKS from an onnx_ir model, in place."""
    model.doc_string = None
    for graph in (model.graph, *model.functions.values()):
        graph.doc_string = None
        for node in graph.all_nodes():
            node.doc_string = None
            for key in LEAKS:
                node.metadata_props.pop(key, None)
