"""Worker side. Export through TorchScript tracing: the exporter that PyTorch deprecates, tried last."""

from __future__ import annotations

import linecache
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from suite.flat_tensors import flatten_inputs, flatten_outputs
from suite.stages.export.dynamo import limits_of, save
from suite.tracing.flat import flat_forward

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


# Detection of tensor values that a module's Python code reads and on which its output depends.
#
# A tracer that records one example (the legacy exporter) makes each of them a constant: an `if` on a value is frozen to
# the example's branch, and the graph is wrong for every input that takes the other.

MOST_READS: Final = 12
"""Maximum number of places tried; each costs one forward pass."""

TORCH: Final = str(Path(torch.__file__).parent)


class FrozenValueError(RuntimeError):
    """Error raised if the module's output depends on a value read by Python code: one trace does not represent the
    module.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A place where Python code reads the value of a tensor."""

    at: str
    """File and line: `net.py:12`."""
    code: str
    """Source text of the line."""
    number: int
    """Index of the read within the forward pass, from 0."""
    value: Any


class _ValueReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records every read, and replaces the value at the selected one."""

    def __init__(self, changed: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.changed = changed
        self.found: list[Read] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not torch.ops.aten._local_scalar_dense.default:
            return result
        file, line = _caller()
        number = len(self.found)
        code = linecache.getline(file, line).strip()
        at = f"{Path(file).name}:{line}"
        self.found.append(Read(at=at, code=code, number=number, value=result))
        return _other_value(result) if number == self.changed else result


def refuse_frozen_values(
    module: nn.Module, inputs: Mapping[str, Any], flatten: Callable[[Any], list[Tensor]]
) -> None:
    """Raise FrozenValueError if another value at one of the reads changes the output.

    Every place is tried once with the opposite boolean or another number. A boolean whose opposite makes the module
    raise is an input check, and one that changes nothing chooses between two equivalent paths: both may be frozen.
    """
    with torch.no_grad(), _ValueReads() as plain:
        expected = flatten(module(**inputs))
    places = {read.at: read for read in reversed(plain.found)}
    for read in sorted(places.values(), key=lambda read: read.number)[:MOST_READS]:
        try:
            with torch.no_grad(), _ValueReads(read.number):
                answered = flatten(module(**inputs))
        except Exception:
            matters = not isinstance(read.value, bool)
        else:
            matters = not _same(expected, answered)
        if matters:
            raise FrozenValueError(
                f"forward reads a tensor's value in Python ({read.at}: `{read.code}`) and answers otherwise for"
                " another value; the tracer would keep what the example did"
            )


def _caller() -> tuple[str, int]:
    """Return file and line of the innermost frame outside PyTorch."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if not name.startswith(TORCH) and name != __file__:
            break
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _other_value(value: Any) -> Any:
    return not value if isinstance(value, bool) else value + 1


def _same(expected: list[Tensor], answered: list[Tensor]) -> bool:
    return len(expected) == len(answered) and all(
        a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
        for a, b in zip(expected, answered, strict=True)
    )
