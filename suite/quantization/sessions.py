"""Worker side. ONNX Runtime sessions on the CPU, for counting and measuring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def open_quietly(graph: Path, threads: int = 1, *, optimized: Path | None = None) -> Any:
    """Open a session on the CPU that logs errors only; write the graph that it runs to `optimized`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run(graph: Path, feeds: Mapping[str, Any], threads: int = 1) -> list[Any]:
    """Return the outputs of the graph, as NumPy arrays."""
    outputs: list[Any] = open_quietly(graph, threads).run(None, dict(feeds))
    return outputs
