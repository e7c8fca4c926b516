"""Worker side. The kernels that ONNX Runtime runs for a graph after its optimizer, in 8 bits and in float."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from suite.onnx_summary import nodes_of
from suite.quantization.count import INTEGER, WEIGHTED
from suite.quantization.sessions import open_quietly
from suite.results.quantize import KernelCount

CONVERSIONS: Final = ("DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear")


def kernels(graph: Path) -> KernelCount:
    """Count the kernels of the graph that a session with all optimizations makes of this one.

    A graph full of QuantizeLinear and DequantizeLinear that ONNX Runtime did not fuse has `num_integer` 0 and is slower
    than before.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        path = Path(folder) / "optimized.onnx"
        open_quietly(graph, optimized=path)
        operators = Counter(node.op_type for node in nodes_of(onnx.load(path)))
    integer = {name: n for name, n in sorted(operators.items()) if name in INTEGER}
    return KernelCount(
        integer=integer,
        num_integer=sum(integer.values()),
        floating={name: n for name, n in sorted(operators.items()) if name in WEIGHTED},
        carried={
            name: n
            for name, n in sorted(operators.items())
            if name.startswith("QLinear") and name not in INTEGER
        },
        conversions={name: operators[name] for name in CONVERSIONS if operators[name]},
    )
