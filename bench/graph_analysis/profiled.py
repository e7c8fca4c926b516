"""Worker side. Nodes of an ONNX Runtime session as its profile shows them, and the machine's rate to compare with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.graph_analysis.evidence import Array, ProfiledNode
from bench.instruments.stopwatch import CLOCK, NS
from bench.stats import median

CPU_PROVIDER: Final = "CPUExecutionProvider"
KERNEL: Final = "_kernel_time"
INNER: Final = ("Loop", "Scan", "If")
SIDE: Final = 512
"""Side of the square matrices whose product is the machine's rate."""
PRODUCTS: Final = 9
"""Products of which the fastest counts."""
UNSEEN: Final = 0.5
"""Microseconds of a node that the profile, which counts whole ones, shows as 0."""


def open_session(path: Path, threads: int, **options: Any) -> Any:
    """Return a session of the graph on the CPU; `options` are attributes of SessionOptions."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    for name, value in options.items():
        setattr(settings, name, value)
    return onnxruntime.InferenceSession(path, settings, providers=[CPU_PROVIDER])


def nodes_of(events: Iterable[Mapping[str, Any]], num_runs: int) -> tuple[ProfiledNode, ...]:
    """Return the profiled nodes of so many runs, the first of which was cold, in the order of their first end.

    A node inside a loop has several events per run; one that lies within the time of a loop or branch is an inner one.
    """
    kernels = [e for e in events if e.get("cat") == "Node" and str(e["name"]).endswith(KERNEL)]
    loops = [
        (float(e["ts"]), float(e["ts"]) + float(e["dur"]))
        for e in kernels
        if e["args"].get("op_name") in INNER
    ]
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for event in kernels:
        name, operator = str(event["name"]).removesuffix(KERNEL), str(event["args"]["op_name"])
        found.setdefault((name, operator), []).append(event)
    return tuple(
        _node(name, operator, own, num_runs, loops) for (name, operator), own in found.items()
    )


def _node(
    name: str,
    operator: str,
    events: list[Mapping[str, Any]],
    num_runs: int,
    loops: list[tuple[float, float]],
) -> ProfiledNode:
    warm = events[len(events) // num_runs :] or events
    passes = len(warm) / max(1, num_runs - 1)
    last = events[-1]
    begin, end = float(last["ts"]), float(last["ts"]) + float(last["dur"])
    return ProfiledNode(
        name=name,
        operator=operator,
        seconds=median([max(float(e["dur"]), UNSEEN) * 1e-6 for e in warm]) * passes,
        provider=str(last["args"].get("provider", "")),
        inputs=_arrays(last, "input_type_shape"),
        outputs=_arrays(last, "output_type_shape"),
        is_inner=any(a <= begin and end <= b and (a, b) != (begin, end) for a, b in loops),
    )


def _arrays(event: Mapping[str, Any], what: str) -> tuple[Array, ...]:
    return tuple(
        Array(dtype=str(dtype), shape=tuple(int(extent) for extent in shape))
        for entry in event["args"].get(what, ())
        for dtype, shape in entry.items()
    )


def product_rate(threads: int) -> float:
    """Return the multiply-accumulates per second of a large float32 matrix product in a session of its own."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    weight = np.ones((SIDE, SIDE), dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [SIDE, SIDE])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with tempfile.TemporaryDirectory(prefix="vitals-why-") as folder:
        path = Path(folder, "product.onnx")
        onnx.save(model, path)
        session = open_session(path, threads)
        product = partial(session.run, None, {"x": weight})
        best = min(timed(product) for _ in range(PRODUCTS))
    return SIDE**3 / best


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    began = CLOCK()
    call()
    return (CLOCK() - began) * NS
