"""Multiply-accumulates of ONNX operators from the shapes of their inputs and outputs.

Counted as `suite.macs` counts a PyTorch module: matrix products, convolutions, attention and
recurrent cells; element-wise work, biases, normalization, interpolation and pooling are not.
`bench.onnx_graph.operators` lists which operators have no formula here and which need none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.onnx_graph.attention import ATTENTION
from bench.onnx_graph.call import Call, Counter, Open
from bench.onnx_graph.products import CONVOLUTIONS, PRODUCTS

COUNTERS: Final[Mapping[str, Counter]] = {**CONVOLUTIONS, **PRODUCTS, **ATTENTION}
"""Operator -> its count. A name with its domain takes precedence over the bare one."""


def macs_of(operator: str, call: Call) -> int | None:
    """Return multiply-accumulates of one run: 0 for an operator without a formula, None if a shape is open.

    `operator` may have its domain in front. Formulas: convolution = output elements x elements of one filter; product =
    rows x columns x depth; recurrent = steps x batch x directions x gates x hidden x (input + hidden); attention = both
    of its products; a causal mask does not reduce them.
    """
    counter = counter_of(operator)
    if counter is None:
        return 0
    try:
        return counter(call)
    except Open:
        return None


def counter_of(operator: str) -> Counter | None:
    """Return the formula of an operator, with or without its domain in front; None if there is none."""
    return COUNTERS.get(operator) or COUNTERS.get(operator.rpartition("::")[2])
