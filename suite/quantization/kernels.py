"""Worker side. What ONNX Runtime runs of a graph: the kernels after its optimizer, in 8 bits and in float."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from suite.onnx_summary import nodes_of
from suite.quantization.count import INTEGER, WEIGHTED
from suite.quantization.sessions import open_quietly

CONVERSIONS: Final = ("DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear")


def kernels(graph: Path) -> dict[str, Any]:
    """JSON-able facts of the graph that a session makes of this one, with all of its optimizations.

    `integer`: kernels that multiply in 8 bits, by operator; `num_integer`: how many. `floating`: the same in float.
    `carried`: kernels of ONNX Runtime that pass 8-bit values on (QLinearAdd ...). `conversions`: between the two.
    A graph full of QuantizeLinear and DequantizeLinear that ONNX Runtime did not fuse has `num_integer` 0 and is
    slower than before.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        path = Path(folder) / "optimized.onnx"
        open_quietly(graph, optimized=path)
        operators = Counter(node.op_type for node in nodes_of(onnx.load(path)))
    integer = {name: n for name, n in sorted(operators.items()) if name in INTEGER}
    return {
        "integer": integer,
        "num_integer": sum(integer.values()),
        "floating": {name: n for name, n in sorted(operators.items()) if name in WEIGHTED},
        "carried": {
            name: n
            for name, n in sorted(operators.items())
            if name.startswith("QLinear") and name not in INTEGER
        },
        "conversions": {name: operators[name] for name in CONVERSIONS if operators[name]},
    }
