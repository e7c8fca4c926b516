"""Worker side. Profile of the operators of a forward pass, to find the cause of a regression."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

from bench.instruments.options import ProfileOptions
from bench.instruments.results import ProfileResult
from suite.axes import OPENVINO, is_accelerator
from suite.backends.runnable import Runnable, runnable_for
from suite.results.step_output import StepOutput
from suite.worker.protocol import CellJob, Emit

WARM: Final = 3
PASSES: Final = 10
MOST_SECONDS: Final = 5.0
"""Limit of the profiled passes; at least one is made."""

Rows = dict[str, list[float]]
"""Operator -> [seconds of its own, calls], over all passes."""


def run(job: CellJob, emit: Emit) -> StepOutput[ProfileResult]:
    """Profile the operators of a forward pass; the profiler's own cost is in the seconds. Options: ProfileOptions."""
    subject = runnable_for(job, emit)
    emit("phase", name="profile")
    if subject.setup.provider:
        rows, passes = _onnxruntime(job, subject)
    elif job.cell.backend == OPENVINO:
        rows, passes = _openvino(job, subject)
    else:
        with subject.inference():
            rows, passes = _torch(subject, job.cell.device)
            _snapshot(subject, job)
    operators = {name: (own / passes, calls / passes) for name, (own, calls) in rows.items()}
    return StepOutput(result=ProfileResult(operators=operators))


def _torch(subject: Runnable, device: str) -> tuple[Rows, int]:
    import time

    from torch.profiler import ProfilerActivity, profile

    for _ in range(WARM):
        subject.call()
    subject.synchronize()
    began = time.perf_counter()
    subject.call()
    subject.synchronize()
    once = time.perf_counter() - began
    passes = max(1, min(PASSES, int(MOST_SECONDS / max(once, 1e-9))))
    on_gpu = is_accelerator(device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        for _ in range(passes):
            subject.call()
        subject.synchronize()
    rows: Rows = {}
    for event in profiler.key_averages():
        micros = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if micros or event.count:
            rows[event.key] = [micros * 1e-6, float(event.count)]
    return rows, passes


def _onnxruntime(job: CellJob, subject: Runnable) -> tuple[Rows, int]:
    """Profile with ONNX Runtime's profiler, in a separate session."""
    import onnxruntime as ort

    rows: Rows = defaultdict(lambda: [0.0, 0.0])
    with tempfile.TemporaryDirectory(prefix="vitals-") as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = job.options.threads
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = ort.InferenceSession(
            job.options.graph, options, providers=[subject.setup.provider]
        )
        for _ in range(WARM + PASSES):
            session.run(None, dict(subject.inputs))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    for event in nodes:
        row = rows[str(event.get("args", {}).get("op_name") or event["name"])]
        row[0] += event["dur"] * 1e-6
        row[1] += 1
    return dict(rows), WARM + PASSES


def _openvino(job: CellJob, subject: Runnable) -> tuple[Rows, int]:
    """Profile with OpenVINO's counters of layers, in a separate compiled model."""
    from suite.backends.openvino import open_model

    rows: Rows = defaultdict(lambda: [0.0, 0.0])
    compiled = open_model(
        Path(job.options.graph), job.cell.dtype, job.options.threads, counts_layers=True
    )
    request = compiled.create_infer_request()
    for _ in range(WARM + PASSES):
        request.infer(dict(subject.inputs))
        for layer in request.get_profiling_info():
            row = rows[layer.node_type]
            row[0] += layer.real_time.total_seconds()
            row[1] += 1
    return dict(rows), WARM + PASSES


def _snapshot(subject: Runnable, job: CellJob) -> None:
    """Write the CUDA allocator's history over one pass, for https://pytorch.org/memory_viz."""
    target = job.read(ProfileOptions).snapshot
    if not target or not is_accelerator(job.cell.device):
        return
    import torch

    torch.cuda.memory._record_memory_history()
    subject.call()
    subject.synchronize()
    torch.cuda.memory._dump_snapshot(target)  # type: ignore[no-untyped-call]
    torch.cuda.memory._record_memory_history(enabled=None)
