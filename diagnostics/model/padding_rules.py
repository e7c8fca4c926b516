"""Rules about windows: padding that ONNX allows and ONNX Runtime does not compute."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.model.fault import Fault, title
from diagnostics.model.graph import Node

REFUSED = frozenset({"Conv", "ConvInteger", "QLinearConv"})
"""Operators that the CPU kernels refuse in each run, not at the load. Seen with ONNX Runtime 1.20.1, 1.24.4, 1.32.0."""
SHRUNK = frozenset({"AveragePool", "LpPool", "MaxPool"})
"""Operators that are computed with the padding of a window that is not dilated. Seen with 1.24.4 and 1.32.0
(findings/dilated-same-padding.sh)."""


def padding(node: Node) -> Iterator[Fault]:
    """Yield a dilated window whose padding is left to the runtime."""
    if node.operator not in REFUSED | SHRUNK:
        return
    how = node.attributes["auto_pad"].word if "auto_pad" in node.attributes else ""
    steps = _numbers(node, "dilations")
    if not how.startswith("SAME_") or all(step == 1 for step in steps):
        return
    if node.operator in SHRUNK and not _needs_more(node, steps):
        return
    what = (
        "ONNX Runtime's CPU kernel refuses that in every run"
        if node.operator in REFUSED
        else "ONNX Runtime pads as if it were not, and its output is too small"
    )
    yield Fault(
        code="ort-same-dilation",
        summary=f"{title(node)} has auto_pad {how} and is dilated: {what}.",
        cause="ONNX allows both together, and the file loads.",
        cure="write the pads into the node: dilation * (kernel - 1) in all per axis at stride 1, "
        "auto_pad NOTSET",
        node=node.name,
    )


def _needs_more(node: Node, dilations: tuple[int, ...]) -> bool:
    """Return True if dilation makes a pool's window want more padding, whatever the size of the input is."""
    kernel = _numbers(node, "kernel_shape")
    strides = _numbers(node, "strides") or (1,) * len(kernel)
    axes = zip(kernel, strides, dilations, strict=False)
    return any(
        step > 1 and size > 1 and stride < (size - 1) * step + 1 for size, stride, step in axes
    )


def _numbers(node: Node, name: str) -> tuple[int, ...]:
    return node.attributes[name].numbers if name in node.attributes else ()
