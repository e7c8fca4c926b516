"""Worker side. Runnable: a model ready to be called repeatedly, and the entry point to all backends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from suite.axes import BACKENDS
from suite.results.measuring import RunResult
from suite.results.step_result import DataSet
from suite.worker.protocol import CellJob, Emit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Runnable:
    """A model on its backend with its input bound: the interface that instruments use."""

    call: Callable[[], Any]
    """Runs one forward pass, to be called inside `inference()`; no other work."""
    outputs: Callable[[], list[Tensor]]
    """Runs one forward pass and returns its flattened output tensors on the CPU in float32: for parity, never timed."""
    synchronize: Callable[[], None]
    """Waits until the device is idle; does nothing on a CPU."""
    inference: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Context that a user opens once around many passes (torch.inference_mode); it costs 3 us, an eighth of a pass of
    `mlp`.
    """
    forward: Callable[[Mapping[str, Any]], list[Tensor]] | None = None
    """Runs one forward pass on other inputs, as the task gives them, and returns its flattened output tensors on the
    CPU, floating-point ones in float32: for quality, never timed. None = the backend runs the bound input only."""
    module: Any = None
    """The torch module, if there is one (not for ONNX Runtime)."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The bound inputs, on the device."""
    setup: RunResult = field(default_factory=RunResult)
    """Threads, provider, weights, device; samples and tokens per call."""
    data: DataSet | None = None
    """Data set of the input."""


def runnable_for(job: CellJob, emit: Emit) -> Runnable:
    """Return the cell's model on the cell's backend.

    Emits the cold-start phases: `build` and `input`, then `to_device`, `compile` or `session` depending on the backend.
    The first call is left to the caller, so that it can be timed.
    """
    backend = import_module(BACKENDS[job.cell.backend].module)
    result: Runnable = backend.load(job, emit)
    return result
