"""Worker side. Export through torch.export: `torch.onnx.export(dynamo=True)`."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suite.flat_tensors import flatten_inputs
from suite.stages.export.quick_exporter import OPSET, quick_exporter
from suite.tracing.flat import flat_forward
from suite.tracing.recurrent import recurrent_loops

if TYPE_CHECKING:
    from suite.stages.export.recipes import ExportRequest, Limits

ONE_FILE: Final = 1_500_000_000
"""Bytes of weights up to which the graph is one file; protobuf is limited to 2 GiB."""

TWO: Final = 2
"""Smallest extent of a program: torch.export treats 0 and 1 as constants. Parity tries 1."""
UNBOUNDED: Final = 2**30
"""Extents that torch.export uses for no bound: it writes the largest integer."""

LEAKS: Final = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node")
"""Node metadata that holds absolute paths of the machine; `namespace` and `name_scopes` hold module names and are
kept.
"""


def export(request: ExportRequest) -> Limits:
    """Write the graph; raise torch.onnx's errors unchanged, and ValueError for a translation of an unknown operator."""
    import torch

    flat = flatten_inputs(request.inputs)
    shapes = {name: dict(request.dynamic.get(name, {})) or None for name in flat}
    with ExitStack() as patches:
        if request.dynamic:
            patches.enter_context(recurrent_loops())
        patches.enter_context(torch.no_grad())
        patches.enter_context(quick_exporter())
        patches.enter_context(flat_forward(request.module, request.inputs, request.outputs))
        program = torch.onnx.export(
            request.module,
            tuple(flat.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(flat),
            output_names=request.output_names,
            dynamic_shapes=shapes if request.dynamic else None,
            custom_translation_table=translation_table(request.translations),
            verbose=False,
        )
    assert program is not None, "torch.onnx.export with dynamo=True returns a program"
    share_constants(program.model, request.module.state_dict())
    save(program.model, request.path)
    return limits_of(program.exported_program, request)


def translation_table(translations: Mapping[str, Callable[..., Any]]) -> dict[Any, Any] | None:
    """Return `Export.translations` in torch.onnx's format: overload of the operator -> function. None if empty.

    Raises ValueError naming an operator that is not registered.
    """
    import torch

    table: dict[Any, Any] = {}
    for operator, function in translations.items():
        space, _, name = operator.partition("::")
        name, _, overload = name.partition(".")
        try:
            packet = getattr(getattr(torch.ops, space), name)
            table[getattr(packet, overload or "default")] = function
        except (AttributeError, RuntimeError):
            raise ValueError(
                f"Export.translations names the operator {operator!r}, which is not registered; expected e.g."
                " 'mylib::soft_clip' or 'mylib::soft_clip.default'"
            ) from None
    return table or None


def limits_of(exported: Any, request: ExportRequest) -> dict[str, tuple[int, int | None]]:
    """Return the range of extents for which the exported program is valid, by dynamic axis; axes without a limit are
    left out.

    A branch on a shape (`if x.shape[0] > 3`) is no error in torch.export: the branch of the example becomes the
    program, with a guard that ONNX cannot express.
    """
    if exported is None:
        return {}
    by_name = {node.name: node.meta.get("val") for node in exported.graph.nodes}
    limits: dict[str, tuple[int, int | None]] = {}
    flat = flatten_inputs(request.inputs)
    for spec, (name, tensor) in zip(_user_inputs(exported), flat.items(), strict=False):
        value = by_name.get(spec)
        for axis, label in request.dynamic.get(name, {}).items():
            if value is None or axis >= getattr(value, "ndim", 0):
                continue
            symbol = getattr(getattr(value.shape[axis], "node", None), "expr", None)
            known = exported.range_constraints.get(symbol)
            low, high = (int(tensor.shape[axis]),) * 2 if symbol is None else _bounds(known)
            if low > TWO or high is not None:
                limits[label] = (low, high)
    return limits


def _user_inputs(exported: Any) -> list[str]:
    return [str(name) for name in exported.graph_signature.user_inputs]


def _bounds(known: Any) -> tuple[int, int | None]:
    """Return the smallest and largest extent of a torch.export range; None if it has no largest."""
    if known is None:
        return 0, None
    try:
        high: int | None = int(known.upper)
    except (AttributeError, OverflowError, TypeError, ValueError):  # infinite: of sympy or torch
        high = None
    return int(known.lower), high if high is None or high < UNBOUNDED else None


def share_constants(model: Any, parameters: Container[str]) -> None:
    """Merge bitwise equal constants in place, except parameters of the module.

    The exporter folds a transposed weight again for each use: an RNN that is unrolled over 28 steps, and small enough
    to be folded, would contain its weights 28 times.
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
    """Write an onnx_ir model without paths of this machine, as one file up to ONE_FILE, else with `<path>.data`."""
    import onnx_ir

    scrub(model)
    weights = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value)
    external = f"{path.name}.data" if weights > ONE_FILE else None
    onnx_ir.save(model, path, external_data=external)


def scrub(model: Any) -> None:
    """Remove doc strings and the metadata in LEAKS from an onnx_ir model, in place."""
    model.doc_string = None
    for graph in (model.graph, *model.functions.values()):
        graph.doc_string = None
        for node in graph.all_nodes():
            node.doc_string = None
            for key in LEAKS:
                node.metadata_props.pop(key, None)
