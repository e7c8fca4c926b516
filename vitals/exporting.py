"""Worker side. A module and its inputs to an ONNX graph that was held against it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from suite.axes import CPU, TASKS
from suite.backends.onnxruntime import open_session
from suite.flat_tensors import flatten_outputs
from suite.onnx_summary import summary_of
from suite.results.export import PASSED
from suite.spec import Export, ModelSpec, Size
from suite.stages.export.attempts import first_that_works
from suite.stages.export.comparison import Comparison
from suite.stages.export.failures import refuse_unsteady
from suite.stages.export.parity import verdict_of
from suite.stages.export.recipes import ExportRequest, recipes_for
from suite.stages.export.reference import Reference
from suite.stages.export.variants import extent_of, resized
from suite.tracing.dynamic_axes import BATCH, axis_names, flat_axes

Axes = Mapping[str, Mapping[int, str]]
"""Argument of forward -> axis -> name of the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A graph, and whether it is as exact as the module."""

    path: Path
    parity: str
    """`passed`, `failed`, or `vacuous`: the outputs were so constant that nothing could have failed."""
    reason: str
    """Why parity is not `passed`; else empty."""
    num_bytes: int | None
    num_nodes: int | None
    recipe: str
    """Exporter that made it: dynamo, detection, transformers or legacy."""
    extents: Mapping[str, tuple[int, ...]]
    """Dynamic axis -> the extents at which the graph was compared."""

    @property
    def is_exact(self) -> bool:
        """True if the graph is proved as exact as the module."""
        return self.parity == PASSED


def export(
    module: Any,
    inputs: Sequence[Any],
    named: Mapping[str, Any],
    *,
    dynamic: Axes,
    path: Path,
) -> Exported:
    """Write the module as ONNX to `path` and compare it with the module at two or more extents of `dynamic` axes.

    Raises TypeError for inputs that are no tensors, and what the last of the exporters raised if none made a graph.
    """
    example = _by_name(module, inputs, named)
    was_training = module.training
    module.eval()
    try:
        return _export(module, example, dynamic, path)
    finally:
        module.train(was_training)


def _export(module: Any, example: dict[str, Any], dynamic: Axes, path: Path) -> Exported:
    with torch.no_grad():
        names = _output_names(module(**example), example)
    spec = ModelSpec(
        name="module",
        family="own",
        task=next(iter(TASKS)),  # takes no part: tensors alone are compared
        build=lambda: module,
        sizes={"base": Size()},
        outputs=tuple(names),
        export=Export(dynamic=dynamic),
    )
    has_batch = BATCH in axis_names(spec)
    flat_axes(spec, example)  # raises for the name of an argument that is not there
    batch = extent_of(spec, example, BATCH) if has_batch else 1

    @cache
    def draw(num_samples: int, which: int) -> Mapping[str, Any]:
        drawn = {name: _varied(value, which) for name, value in example.items()}
        return resized(spec, drawn, BATCH, num_samples) if has_batch else drawn

    # torch.export treats an extent of 1 as constant, so a dynamic batch is traced with two.
    traced = draw(max(2, batch) if has_batch else batch, 0)
    reference = Reference(module, spec.outputs)
    first = draw(batch, 0)
    reference.know(first, *refuse_unsteady(module, first, reference.flatten))
    path.parent.mkdir(parents=True, exist_ok=True)
    request = ExportRequest(
        module=module,
        inputs=traced,
        output_names=names,
        outputs=spec.outputs,
        dynamic=flat_axes(spec, traced),
        path=path,
    )
    comparison = Comparison(
        spec=spec, names=names, reference=reference, draw=draw, batch=batch, graph=path
    )
    comparison.prepare()
    made = first_that_works(
        recipes_for(spec, module),
        request,
        lambda file: open_session(file, CPU, torch.get_num_threads()),
        comparison.rows,
        _ignore,
    )
    verdict = verdict_of(made.shapes)
    summary = summary_of(path, made.recipe.name)
    compared: dict[str, set[int]] = {name: set() for name in axis_names(spec)}
    for row in made.shapes:
        if row.axis in compared and row.extent is not None:
            compared[row.axis].add(row.extent)
    own = {name: extent_of(spec, example, name) for name in compared}
    return Exported(
        path=path,
        parity=verdict.verdict,
        reason=verdict.reason or "",
        num_bytes=summary.num_bytes,
        num_nodes=summary.num_nodes,
        recipe=made.recipe.name,
        extents={name: tuple(sorted({*found, own[name]})) for name, found in compared.items()},
    )


def _ignore(kind: str, /, **data: Any) -> None:
    """Take a phase of the export: in a test nobody follows them."""


def _by_name(module: Any, inputs: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs by the name of forward's argument; raise TypeError with what does not fit."""
    bound = inspect.signature(module.forward).bind(*inputs, **named)
    kinds = inspect.signature(module.forward).parameters
    for name, value in bound.arguments.items():
        if kinds[name].kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise TypeError(
                f"forward takes `*{name}`: a graph's inputs need names; wrap the module in one whose forward names them"
            )
        items = value if isinstance(value, (list, tuple)) else [value]
        if not items or not all(isinstance(item, Tensor) for item in items):
            raise TypeError(
                f"input `{name}` is {type(value).__name__}; expected a tensor or a list of tensors."
                " Next: wrap the module in one that holds the other arguments"
            )
    return dict(bound.arguments)


def _output_names(result: Any, inputs: Mapping[str, Any]) -> list[str]:
    """Return one name for each tensor of a result: a dictionary's keys, else `output` or `output_0` ...

    A graph's output may not have the name of an input.
    """
    count = len(flatten_outputs(result))
    if isinstance(result, Mapping):
        keys = [str(key) for key, value in result.items() if isinstance(value, Tensor)]
        if len(keys) == count:
            return [f"{key}_out" if key in inputs else key for key in keys]
    return ["output"] if count == 1 else [f"output_{number}" for number in range(count)]


def _varied(value: Any, which: int) -> Any:
    """Return the tensors as given (`which` 0), or others of their shape, kind and range, seeded by `which`."""
    if isinstance(value, (list, tuple)):
        return [_varied(item, which) for item in value]
    if not which or not value.numel():
        return value
    generator = torch.Generator().manual_seed(which)
    if value.is_floating_point():
        spread = value.float().std(correction=0) if value.numel() > 1 else value.float().abs()
        noise = torch.randn(value.shape, generator=generator).to(value.device)
        return (value.float().mean() + noise * spread.clamp_min(1e-3)).to(value.dtype)
    if value.dtype is torch.bool or value.is_complex():
        return value
    low, high = int(value.min()), int(value.max())
    other = torch.randint(low, high + 1, value.shape, generator=generator, dtype=torch.int64)
    return other.to(value.device, value.dtype)
