"""Worker side. A module as a torch.export program, which archives, AOTInductor and bundles take."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from suite.flat_tensors import flatten_inputs
from suite.spec import ModelSpec
from suite.tracing.detection import branch_free_decoding, branch_free_nms, symbolic_lengths
from suite.tracing.dynamic_axes import flat_axes
from suite.tracing.flat import flat_forward
from suite.tracing.recurrent import recurrent_loops


def program_of(spec: ModelSpec, module: Any, traced: Mapping[str, Any]) -> Any:
    """Return the module as a torch.export program, called with its flat inputs in order; the record's axes are
    dynamic.
    """
    import torch

    flat, axes = flatten_inputs(traced), flat_axes(spec, traced)
    auto = torch.export.Dim.AUTO
    shapes = tuple(dict.fromkeys(axes.get(name, ()), auto) or None for name in flat)
    with ExitStack() as patches:
        if spec.task == "detection":
            patches.enter_context(branch_free_nms())
            patches.enter_context(branch_free_decoding())
            patches.enter_context(symbolic_lengths())
        if any(shapes):
            patches.enter_context(recurrent_loops())
        patches.enter_context(torch.no_grad())
        patches.enter_context(flat_forward(module, traced, spec.outputs))
        return torch.export.export(
            module,
            tuple(flat.values()),
            dynamic_shapes=shapes if any(shapes) else None,
            strict=False,
        )
