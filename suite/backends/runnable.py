"""Worker side. Runnable: a model made ready to be called again and again, and the door to every backend."""

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
    """A model on its backend with its input bound: all that an instrument needs."""

    call: Callable[[], Any]
    """One forward pass, to be called inside `inference()`; nothing but the model's own work."""
    outputs: Callable[[], list[Tensor]]
    """One forward pass, its output tensors flattened, on the CPU in float32: for parity, never timed."""
    synchronize: Callable[[], None]
    """Waits until the device is idle; does nothing on a CPU."""
    inference: Callable[[], AbstractContextManager[Any]] = nullcontext
    """What a user opens once around many passes (torch.inference_mode): 3 us, an eighth of a pass of `mlp`."""
    module: Any = None
    """The torch module, where there is one (not for ONNX Runtime)."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What is bound, on the device."""
    setup: RunResult = field(default_factory=RunResult)
    """Threads, provider, weights, device; samples and tokens per call."""
    data: DataSet | None = None
    """Where the input came from."""


def runnable_for(job: CellJob, emit: Emit) -> Runnable:
    """The cell's model on the cell's backend.

    Emits the cold phases on the way: `build` and `input`, then `to_device`, `compile` or `session` as the
    backend has them. The first call is the caller's, so that it can be timed.
    """
    backend = import_module(BACKENDS[job.cell.backend].module)
    result: Runnable = backend.load(job, emit)
    return result
