"""Worker side. Shapes observed in a run: for graphs with data-dependent shapes, such as detectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NO_SPINNING: Final = ("session.intra_op.allow_spinning", "0")
"""ONNX Runtime's option for threads that sleep as soon as they have nothing to do: for runs that are not timed and
have others beside them.
"""


def shapes_of_a_run(path: Path, feeds: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return value -> shape in one ONNX Runtime run on `feeds` (input name -> array), for every value of the main
    graph.

    All of them are kept in memory until the run ends. Raises what ONNX Runtime raises.
    """
    import onnx
    import onnxruntime

    model = onnx.load(path)
    names = [name for node in model.graph.node for name in node.output if name]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry(*NO_SPINNING)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values = session.run(names, dict(feeds))
    found = {
        name: tuple(v.shape) for name, v in zip(names, values, strict=True) if hasattr(v, "shape")
    }
    return found | {name: tuple(value.shape) for name, value in feeds.items()}
