"""Worker side. Backend `onnxruntime`: the exported graph in a session whose provider is checked, not hoped for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort
import torch
from torch import Tensor

from suite.axes import is_accelerator
from suite.backends.runnable import Runnable
from suite.built_model import batch_of
from suite.catalog import spec_for
from suite.flat_tensors import flatten_inputs
from suite.results.measuring import RunResult
from suite.worker.errors import Unavailable
from suite.worker.protocol import CellJob, Emit


def load(job: CellJob, emit: Emit) -> Runnable:
    """The graph of the job with the cell's batch bound; phases `input` and `session`.

    The feeds are NumPy arrays, as a user hands them over; results come back as NumPy arrays, so a CUDA session's
    time holds both copies and nothing is left to synchronise.
    """
    graph = Path(job.options.graph)
    batch = batch_of(job, spec_for(job.cell.model, job.options.models_from), emit)
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
    """A session on the provider that `device` means; raises Unavailable when it would run elsewhere.

    ONNX Runtime falls back to the CPU without a word when the CUDA provider does not load.
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
            ort.preload_dlls()  # finds the CUDA libraries that PyTorch's wheels brought
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
    """Graph input name -> NumPy array; inputs that the exporter found unused are left out."""
    tensors = flatten_inputs(inputs)
    names = [node.name for node in session.get_inputs()]
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ValueError(f"the graph wants the inputs {missing}; the batch has {sorted(tensors)}")
    return {name: tensors[name].contiguous().numpy() for name in names}


def _nothing() -> None:
    """session.run returns when its results are on the CPU."""
