"""Worker side. Which of ONNX Runtime's execution providers runs which node of a session, and how long.

A session that was asked for one provider gives it what it takes; the rest falls back to the next one without a word.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from suite.results.measuring import NodeShare

RECORD: Final = "session.record_ep_graph_assignment_info"
"""Entry of the session's configuration that makes it remember the assignment (ONNX Runtime 1.24 and later)."""
PASSES: Final = 5
"""Passes of a profile; the first is left out."""


def settings_of(provider: str, device: str, threads: int) -> dict[str, str]:
    """Return the options of a provider: what its default would leave to the machine is said."""
    _, _, index = device.partition(":")
    return {
        "CUDAExecutionProvider": {"device_id": index or "0"},
        "TensorrtExecutionProvider": {"device_id": index or "0"},
        "OpenVINOExecutionProvider": {
            "device_type": "CPU",
            "precision": "FP32",
            "num_of_threads": str(threads),
        },
        "XnnpackExecutionProvider": {"intra_op_num_threads": str(threads)},
    }.get(provider, {})


def assigned_nodes(session: Any) -> dict[str, int]:
    """Return provider -> number of the optimized graph's nodes that are its own; empty if the release cannot tell."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    found: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        found[part.ep_name] = found.get(part.ep_name, 0) + len(part.get_nodes())
    return found


def profiled_nodes(graph: Path, providers: list[Any], options: Any, feeds: Any) -> list[Any]:
    """Return the events of the nodes in PASSES passes of a session of its own."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory(prefix="vitals-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = ort.InferenceSession(graph, options, providers=providers)
        for _ in range(PASSES):
            session.run(None, dict(feeds))
        events: list[Any] = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return events


def fallen_back(events: Iterable[Mapping[str, Any]], provider: str) -> tuple[NodeShare, ...]:
    """Return the nodes that another provider than `provider` ran, with their share of the time of all nodes, the
    longest first.
    """
    seconds: dict[tuple[str, str, str], float] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event["name"]).endswith("_kernel_time"):
            told = event.get("args", {})
            name = str(event["name"]).removesuffix("_kernel_time")
            key = (name, str(told.get("op_name", "")), str(told.get("provider", "")))
            seconds[key] = seconds.get(key, 0.0) + float(event["dur"])
    total = sum(seconds.values())
    found = [
        NodeShare(name=name, operator=operator, provider=runs_on, share=taken / total)
        for (name, operator, runs_on), taken in seconds.items()
        if runs_on != provider and total
    ]
    return tuple(sorted(found, key=lambda node: -node.share))
