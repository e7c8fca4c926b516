"""Worker side. Backend `onnxruntime`: the exported graph in a session whose provider is verified."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort
import torch
from torch import Tensor

from suite.axes import BACKENDS, is_accelerator
from suite.backends.providers import (
    RECORD,
    assigned_nodes,
    fallen_back,
    profiled_nodes,
    settings_of,
)
from suite.backends.runnable import Runnable
from suite.built_model import batch_of
from suite.flat_tensors import feeds_of
from suite.origins.find import spec_of
from suite.results.measuring import NodeShare, RunResult
from suite.worker.errors import Unavailable, Unsupported
from suite.worker.protocol import CellJob, Emit

INSTALL: Final = {
    "CUDAExecutionProvider": "pip install onnxruntime-gpu in place of onnxruntime",
    "OpenVINOExecutionProvider": "pip install onnxruntime-openvino in place of onnxruntime",
    "TensorrtExecutionProvider": "pip install onnxruntime-gpu in place of onnxruntime, and tensorrt",
    "XnnpackExecutionProvider": "build ONNX Runtime with --use_xnnpack; no wheel for desktops or servers has it",
}
"""Execution provider -> how to get it."""


def load(job: CellJob, emit: Emit) -> Runnable:
    """Return a Runnable of the job's graph with the cell's batch bound; phases `input` and `session`.

    The feeds and the results are NumPy arrays, as in user code, so the time of a CUDA session includes both copies and
    no synchronization is needed.
    """
    graph = Path(job.options.graph)
    batch = batch_of(job, spec_of(job), emit)
    emit("phase", name="session")
    provider = BACKENDS[job.cell.backend].provider
    session = open_session(graph, job.cell.device, job.options.threads, provider)
    assigned = assigned_nodes(session)
    if provider and assigned and provider not in assigned:
        raise Unsupported(
            f"{provider} takes no node of this graph: all {sum(assigned.values())} fell back to"
            f" {', '.join(assigned)}"
        )
    feeds = feeds_for(session, batch.inputs)

    def call() -> Any:
        return session.run(None, feeds)

    def outputs() -> list[Tensor]:
        return [torch.from_numpy(array).to(torch.float32) for array in call()]

    def forward(other: Mapping[str, Any]) -> list[Tensor]:
        found = [torch.from_numpy(array) for array in session.run(None, feeds_for(session, other))]
        return [t.to(torch.float32) if t.is_floating_point() else t for t in found]

    return Runnable(
        call=call,
        outputs=outputs,
        forward=forward,
        synchronize=_nothing,
        inputs=feeds,
        setup=RunResult(
            threads=session.get_session_options().intra_op_num_threads,
            provider=session.get_providers()[0],
            onnxruntime=ort.__version__,
            assigned=assigned,
            num_samples=batch.num_samples,
            num_tokens=batch.num_tokens,
        ),
        data=batch.data,
    )


def open_session(
    graph: Path, device: str, threads: int, provider: str = "", profile: str = ""
) -> Any:
    """Return a session on that provider, or the one for `device`; raise Unavailable if it would run elsewhere.

    With `profile` it times its operators, into a file whose name begins so. ONNX Runtime falls back to the CPU silently
    if a provider does not load.
    """
    wanted, options = wanted_providers(device, threads, provider), options_for(threads)
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    session = ort.InferenceSession(graph, options, providers=wanted)
    got, expected = session.get_providers()[0], wanted[0][0]
    if got != expected:
        raise Unavailable(
            f"ONNX Runtime was asked for {expected} and took {got}: the provider's libraries did not load;"
            " next: python -m diagnostics"
        )
    return session


def options_for(threads: int) -> Any:
    """Return the options of a quiet session that remembers which provider has which node."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry(RECORD, "1")
    return options


def wanted_providers(device: str, threads: int, provider: str = "") -> list[Any]:
    """Return (provider, options) of a session, best first; raise Unavailable if this ONNX Runtime lacks one."""
    names = [provider] if provider else []
    names += ["CUDAExecutionProvider"] if is_accelerator(device) else []
    has = ort.get_available_providers()
    for name in names:
        if name not in has:
            raise Unavailable(
                f"this ONNX Runtime has no {name} (it has {', '.join(has)}); next: {INSTALL[name]}"
            )
    if is_accelerator(device) and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # finds the CUDA libraries of PyTorch's wheels
    return [(name, settings_of(name, device, threads)) for name in (*names, "CPUExecutionProvider")]


def fallbacks_of(job: CellJob, subject: Runnable) -> tuple[NodeShare, ...]:
    """Return the nodes of the cell's graph that another provider ran than the one that was asked for."""
    wanted = wanted_providers(
        job.cell.device, job.options.threads, BACKENDS[job.cell.backend].provider
    )
    options = options_for(job.options.threads)
    events = profiled_nodes(Path(job.options.graph), wanted, options, subject.inputs)
    return fallen_back(events, wanted[0][0])


def feeds_for(session: Any, inputs: Any) -> dict[str, Any]:
    """Return graph input name -> NumPy array; inputs that the exporter removed as unused are left out."""
    return feeds_of([node.name for node in session.get_inputs()], inputs)


def _nothing() -> None:
    """Do nothing: session.run returns when its results are on the CPU."""
