"""Worker side. An ONNX file as a model: its own graph is what is run, measured and quantized; there is no module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from suite.axes import BASE, COMPILED, EAGER
from suite.catalog import CatalogError
from suite.origins.probe import AS_BUILT, BATCH
from suite.origins.reference import ONNX, Reference
from suite.spec import Export, Gap, ModelSpec

URL: Final = "https://onnxruntime.ai/docs/"
EXTENTS: Final = (
    (re.compile("seq|len|time|token", re.I), 16),
    (re.compile("height|width|side", re.I), 224),
)
"""Name of an open axis -> its extent, where `--axes` says nothing; others are 1."""
TYPES: Final = {
    1: "float32",
    2: "uint8",
    3: "int8",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}
"""ONNX's number of an element type -> its name in torch."""


def describe(target: str) -> ModelSpec:
    """Return the record of a graph: its inputs with their open axes, its outputs, random inputs that fit.

    Raise CatalogError if it is no ONNX file, or has an input that is no tensor of numbers.
    """
    model, path = _model(target), Path(target)
    inputs = _inputs(model)
    dynamic: dict[str, dict[int, str]] = {}
    for name, (kind, shape) in inputs.items():
        if kind not in TYPES:
            raise CatalogError(
                f"{path.name}: input `{name}` has the element type {kind}, which is not fed here"
            )
        open_axes = {axis: extent for axis, extent in enumerate(shape) if isinstance(extent, str)}
        if open_axes:
            dynamic[name] = open_axes
    first = {axes[0] for axes in dynamic.values() if 0 in axes}
    if len(first) == 1:  # whatever the file calls it, the first axis that all share is the batch
        label = first.pop()
        dynamic = {
            name: {axis: BATCH if held == label else held for axis, held in axes.items()}
            for name, axes in dynamic.items()
        }
    record = ModelSpec(
        name=Reference(kind=ONNX, target=target).model,
        family="file",
        build=dict,
        inputs=dict,
        sizes={BASE: AS_BUILT},
        outputs=tuple(value.name for value in model.graph.output),
        export=Export(
            dynamic=dynamic, static_reason="" if dynamic else "the file names no open axis"
        ),
        gaps=(
            Gap(backend=EAGER, reason="an ONNX file has no module to run or to train", url=URL),
            Gap(backend=COMPILED, reason="an ONNX file has no module to compile", url=URL),
        ),
        requires=("onnxruntime",),
    )
    return completed(target, record)


def completed(target: str, record: ModelSpec) -> ModelSpec:
    """Return the record with its functions."""
    return replace(record, build=partial(graph_module, target), inputs=partial(inputs_for, target))


def graph_module(path: str) -> Any:
    """Return a torch module that runs the file in ONNX Runtime: the reference of its quantized form."""
    from torch import nn

    class GraphFile(nn.Module):
        """A graph called like a module: tensors by name in, tensors out."""

        def __init__(self) -> None:
            super().__init__()
            self.__dict__["session"] = None

        def forward(self, **inputs: Any) -> Any:
            """Return the graph's outputs in order."""
            import onnxruntime as ort
            import torch

            if self.__dict__["session"] is None:
                options = ort.SessionOptions()
                options.log_severity_level = 3
                options.intra_op_num_threads = torch.get_num_threads()
                self.__dict__["session"] = ort.InferenceSession(
                    path, options, providers=["CPUExecutionProvider"]
                )
            feeds = {name: tensor.contiguous().numpy() for name, tensor in inputs.items()}
            return tuple(map(torch.from_numpy, self.__dict__["session"].run(None, feeds)))

    return GraphFile()


def inputs_for(target: str, *, axes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return the inputs: of the .npz file beside the graph if there is one, else random ones.

    Open axes have the extents of `axes`, by the file's names or "batch". Integers that index a table stay within it;
    masks are ones. Raise CatalogError for an .npz without one of the inputs, or with another type or shape.
    """
    import torch

    model, path = _model(target), Path(target)
    wanted, asked = _inputs(model), dict(axes or {})
    real = path.with_suffix(".npz")
    if real.is_file():
        return _stored(real, wanted)
    known = {label for _, shape in wanted.values() for label in shape if isinstance(label, str)}
    if unknown := sorted(set(asked) - known - {BATCH}):
        raise CatalogError(
            f"--axes {unknown[0]}: {path.name} has no open axis of that name; it has"
            f" {', '.join(sorted(known)) or 'none'}"
        )
    generator = torch.Generator().manual_seed(0)
    rows = _rows_of_tables(model)
    found = {}
    for name, (kind, shape) in wanted.items():
        extents = [
            extent if isinstance(extent, int) else _extent(extent, axis, asked)
            for axis, extent in enumerate(shape)
        ]
        dtype = getattr(torch, TYPES[kind])
        if dtype.is_floating_point:
            found[name] = torch.randn(extents, generator=generator).to(dtype)
        elif dtype is torch.bool or "mask" in name.lower():
            found[name] = torch.ones(extents, dtype=dtype)
        else:
            found[name] = torch.randint(0, rows.get(name, 2), extents, generator=generator).to(
                dtype
            )
    return found


def _model(target: str) -> Any:
    import onnx

    path = Path(target)
    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own, of several classes
        raise CatalogError(
            f"{path.name}: no ONNX file ({type(error).__name__}); next: python -m diagnostics model {path.name}"
        ) from error


def _inputs(model: Any) -> dict[str, tuple[int, list[int | str]]]:
    """Return input -> element type and shape, open axes by name; initializers that are listed as inputs are none."""
    stored = {tensor.name for tensor in model.graph.initializer}
    found = {}
    for value in model.graph.input:
        if value.name in stored:
            continue
        tensor = value.type.tensor_type
        shape: list[int | str] = [
            d.dim_value if d.HasField("dim_value") else (d.dim_param or f"axis{place}")
            for place, d in enumerate(tensor.shape.dim)
        ]
        found[value.name] = (tensor.elem_type, shape)
    return found


def _extent(label: str, axis: int, asked: Mapping[str, int]) -> int:
    if label in asked:
        return asked[label]
    if axis == 0:
        return asked.get(BATCH, 1)
    return next((extent for pattern, extent in EXTENTS if pattern.search(label)), 1)


def _rows_of_tables(model: Any) -> dict[str, int]:
    """Return integer input -> rows of the smallest stored table that it indexes, also through a Cast."""
    sizes = {t.name: t.dims[0] for t in model.graph.initializer if t.dims}
    source = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Cast"}
    found: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in sizes:
            index = source.get(node.input[1], node.input[1])
            found[index] = min(found.get(index, sizes[node.input[0]]), sizes[node.input[0]])
    return found


def _stored(path: Path, wanted: Mapping[str, tuple[int, list[int | str]]]) -> dict[str, Any]:
    """Return the inputs of an .npz file; pickled objects are refused, and arrays that the graph does not take."""
    import numpy as np
    import torch

    with np.load(path, allow_pickle=False) as held:
        missing = [name for name in wanted if name not in held]
        if missing:
            raise CatalogError(
                f"{path.name}: it lacks the input `{missing[0]}`; expected the arrays {', '.join(wanted)}, and it has"
                f" {', '.join(held)}"
            )
        found = {name: held[name] for name in wanted}
    for name, (kind, shape) in wanted.items():
        array, fits = found[name], TYPES[kind]
        is_alike = array.ndim == len(shape) and all(
            isinstance(extent, str) or extent == given
            for extent, given in zip(shape, array.shape, strict=False)
        )
        if str(array.dtype) != fits or not is_alike:
            raise CatalogError(
                f"{path.name}: `{name}` is {array.dtype} {list(array.shape)}; the graph takes {fits}"
                f" [{', '.join(map(str, shape))}]"
            )
    return {name: torch.from_numpy(array) for name, array in found.items()}
