"""Worker side. Backend `onnxruntime`: the exported graph in a session whose provider is verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort
import torch
from torch import Tensor

from suite.axes import is_accelerator
from suite.backends.runnable import Runnable
from suite.built_model import batch_of
from suite.flat_tensors import feeds_of
from suite.origins.find import spec_of
from suite.results.measuring import RunResult
from suite.worker.errors import Unavailable
from suite.worker.protocol import CellJob, Emit


def load(job: CellJob, emit: Emit) -> Runnable:
    """Return a Runnable of the job's graph with the cell's batch bound; phases `input` and `session`.

    The feeds and the results are NumPy arrays, as in user code, so the time of a CUDA session includes both copies and
    no synchronization is needed.
    """
    graph = Path(job.options.graph)
    batch = batch_of(job, spec_of(job), emit)
    emit("phase", name="session")
    session = open_session(graph, job.cell.device, job.options.threads)
    feeds = feeds_for(session, batch.inputs)

    def call() -> Any:
        return session.run(None, feeds)

    def outputs() -> list[Tensor]:
        return [torch.from_numpy(array).to(torch.float32) for array in call()]

    return Runnable(
        call=call,
        outputs=outputs,
        synchronize=_nothing,
        inputs=feeds,
        setup=RunResult(
            threads=session.get_session_options().intra_op_num_threads,
            provider=session.get_providers()[0],
            onnxruntime=ort.__version__,
            num_samples=batch.num_samples,
            num_tokens=batch.num_tokens,
        ),
        data=batch.data,
    )


def open_session(graph: Path, device: str, threads: int) -> Any:
    """Return a session on the provider for `device`; raise Unavailable if it would run elsewhere.

    ONNX Runtime falls back to the CPU silently if the CUDA provider does not load.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    wanted: list[Any] = ["CPUExecutionProvider"]
    if is_accelerator(device):
        index = int(device.partition(":")[2] or 0)
        wanted.insert(0, ("CUDAExecutionProvider", {"device_id": index}))
        if "CUDAExecutionProvider" not in ort.get_available_providers():
            raise Unavailable(
                "this ONNX Runtime has no CUDA provider (it has"
                f" {', '.join(ort.get_available_providers())}); install onnxruntime-gpu in place of onnxruntime"
            )
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # finds the CUDA libraries of PyTorch's wheels
    session = ort.InferenceSession(graph, options, providers=wanted)
    got = session.get_providers()[0]
    expected = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
    if got != expected:
        raise Unavailable(
            f"ONNX Runtime was asked for {expected} and took {got}: the provider's libraries did not load;"
            " next: python -m diagnostics"
        )
    return session


def feeds_for(session: Any, inputs: Any) -> dict[str, Any]:
    """Return graph input name -> NumPy array; inputs that the exporter removed as unused are left out."""
    return feeds_of([node.name for node in session.get_inputs()], inputs)


def _nothing() -> None:
    """Do nothing: session.run returns when its results are on the CPU."""
