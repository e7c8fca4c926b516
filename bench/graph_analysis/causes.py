"""Causes of slow graphs: one row each, found in the evidence of a profiled session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.graph_analysis.evidence import PRODUCTS, Evidence, ProfiledNode
from bench.paired_ratio import paired_ratio
from suite import units
from suite.results.measuring import PairedArm

LEAST: Final = 0.15
"""Share of a run below which a cause is not named."""
SLOW: Final = 0.7
"""Share of the rate of a plain matrix product below which a convolution has no fast kernel."""
TINY: Final = 20e-6
"""Seconds below which starting a node costs as much as what it computes."""
MANY: Final = 60
"""Number of such nodes from which they are a cause."""
GAIN: Final = 1.1
"""How many times as fast one thread has to be."""

QDQ: Final = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
VIEWS: Final = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that copy nothing."""
LAYOUT: Final = ("Transpose", "ReorderInput", "ReorderOutput")
LOOPS: Final = ("Loop", "Scan", "If")
ELEMENTWISE: Final = (
    "Abs", "Add", "Clip", "Cos", "Div", "Erf", "Exp", "Greater", "Less", "Log", "Max", "Min", "Mul", "Neg", "Pow",
    "QuickGelu", "Reciprocal", "Relu", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub", "Tanh", "Where",
)  # fmt: skip
SCATTERED: Final = (
    "GatherElements", "GatherND", "NonMaxSuppression", "NonZero", "ScatterElements", "ScatterND", "TopK", "Unique",
)  # fmt: skip
COPIES: Final = ("MemcpyToHost", "MemcpyFromHost")
INSERTED: Final = "InsertedPrecisionFreeCast"
"""How ONNX Runtime names the casts around nodes that have no kernel in half precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A cause in one graph."""

    cause: str
    """Name of a row of CAUSES."""
    share: float
    """Share (0..1) of a run's time that lies in it."""
    sentence: str
    """What is slow, with its evidence."""
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One kind of reason why a graph is slow."""

    name: str
    find: Callable[[Evidence], tuple[float, str] | None]
    """Returns (share, sentence), or None if the graph does not have it."""
    cure: str


def causes_of(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the causes that take at least LEAST of a run, the largest first."""
    found = []
    for row in CAUSES:
        told = row.find(evidence)
        if told is not None and told[0] >= LEAST:
            share, sentence = told
            found.append(Finding(cause=row.name, share=share, sentence=sentence, cure=row.cure))
    return tuple(sorted(found, key=lambda finding: -finding.share))


def _fallback(evidence: Evidence) -> tuple[float, str] | None:
    strays = evidence.chosen(lambda n: n.provider != evidence.provider or n.operator in COPIES)
    if not strays or not evidence.provider:
        return None
    where = ", ".join(sorted({node.provider for node in strays} - {evidence.provider})) or "copies"
    return _told(evidence, strays, f"did not run on {evidence.provider} ({where})")


def _loop(evidence: Evidence) -> tuple[float, str] | None:
    loops = evidence.chosen(lambda n: n.operator in LOOPS)
    return _told(
        evidence, loops, "a loop or branch that depends on data: nothing is fused across it"
    )


def _qdq(evidence: Evidence) -> tuple[float, str] | None:
    nodes = evidence.chosen(lambda n: n.operator in QDQ)
    return _told(evidence, nodes, "rounding to 8 bits and back stands alone, beside the products")


def _half(evidence: Evidence) -> tuple[float, str] | None:
    casts = evidence.chosen(lambda n: n.operator == "Cast" and INSERTED in n.name)
    return _told(
        evidence,
        casts,
        "inserted by ONNX Runtime, whose CPU kernels do not compute in half precision",
    )


def _casts(evidence: Evidence) -> tuple[float, str] | None:
    casts = evidence.chosen(
        lambda n: n.operator == "Cast" and INSERTED not in n.name and not n.is_of_shapes
    )
    return _told(evidence, casts, "conversions between types")


def _layout(evidence: Evidence) -> tuple[float, str] | None:
    copies = evidence.chosen(lambda n: n.operator in LAYOUT)
    return _told(evidence, copies, "copies of whole tensors into another layout")


def _slow_convolutions(
    evidence: Evidence, is_meant: Callable[[ProfiledNode], bool], what: str
) -> tuple[float, str] | None:
    if not evidence.peak:
        return None
    slow = evidence.chosen(
        lambda n: is_meant(n) and bool(n.macs) and n.macs / n.seconds < SLOW * evidence.peak
    )
    if not slow:
        return None
    rate = sum(n.macs for n in slow) / sum(n.seconds for n in slow)
    eager = sum(s for name, s in evidence.eager.items() if "conv" in name)
    beside = f"; all convolutions of an eager pass take {units.seconds(eager)}" if eager else ""
    return _told(
        evidence,
        slow,
        f"{what} without a fast kernel: {units.scaled_count(rate, 'MAC/s')}, a plain matrix product reaches"
        f" {units.scaled_count(evidence.peak, 'MAC/s')}{beside}",
    )


def _grouped(evidence: Evidence) -> tuple[float, str] | None:
    # One filter per channel has a kernel of its own, and few multiply-accumulates by nature.
    def is_meant(node: ProfiledNode) -> bool:
        return node.groups > 1 and node.inputs[1].shape[1] > 1

    return _slow_convolutions(evidence, is_meant, "grouped convolution")


def _volume(evidence: Evidence) -> tuple[float, str] | None:
    return _slow_convolutions(evidence, lambda n: n.spatial_axes == 3, "3-D convolution")


def _tiny(evidence: Evidence) -> tuple[float, str] | None:
    nodes = evidence.chosen(
        lambda n: n.seconds < TINY and not n.is_of_shapes and n.operator not in VIEWS
    )
    if len(nodes) < MANY:
        return None
    every = len(evidence.outer)
    return _told(
        evidence,
        nodes,
        f"{len(nodes)} of {every} nodes take less than {units.seconds(TINY)} each: something unrolled or decomposed by"
        " the exporter costs more to start than to compute",
    )


def _shapes(evidence: Evidence) -> tuple[float, str] | None:
    nodes = evidence.chosen(lambda n: n.is_of_shapes)
    return _told(evidence, nodes, "arithmetic on shapes and indices, made by dynamic axes")


def _elementwise(evidence: Evidence) -> tuple[float, str] | None:
    nodes = evidence.chosen(
        lambda n: n.operator in ELEMENTWISE and not n.is_of_shapes and n.seconds >= TINY
    )
    if len(nodes) < 3 or evidence.share(nodes) < 2 * LEAST:
        return None
    return _told(
        evidence,
        nodes,
        "a chain of elementwise operations that was not fused: each reads and writes whole tensors",
    )


def _scattered(evidence: Evidence) -> tuple[float, str] | None:
    nodes = evidence.chosen(lambda n: n.operator in SCATTERED)
    return _told(evidence, nodes, "indexing or sorting that depends on data, on one thread")


def _threads(evidence: Evidence) -> tuple[float, str] | None:
    ratio = thread_ratio(evidence)
    if ratio is None or ratio[1] < GAIN:
        return None
    value, low, high = ratio
    return (
        1 - 1 / value,
        f"{evidence.threads} threads wait for each other: one thread is {value:.2f} times as fast"
        f" ({low:.2f} to {high:.2f})",
    )


def thread_ratio(evidence: Evidence) -> tuple[float, float, float] | None:
    """Return how many times as fast one thread is as all, with its interval; None if too few turns tell."""
    starved = evidence.starved
    found = paired_ratio(
        PairedArm(cell="many", seconds=evidence.many, void=starved, starved=starved),
        PairedArm(cell="one", seconds=evidence.one, void=starved, starved=starved),
    )
    return (found.value, found.low, found.high) if found else None


CAUSES: Final = (
    Cause(
        name="provider fall-back",
        find=_fallback,
        cure="name the operator's newest opset, or run the graph on the provider that has all of it",
    ),
    Cause(
        name="data-dependent loop",
        find=_loop,
        cure="export a fixed number of passes, or keep the loop in the caller and export its body",
    ),
    Cause(
        name="Q/DQ left unfused",
        find=_qdq,
        cure="leave these nodes in float (exclude them from quantization), or quantize what lies between them too",
    ),
    Cause(
        name="half precision emulated",
        find=_half,
        cure="run float32 here; half precision needs a GPU, or OpenVINO with its bf16 hint",
    ),
    Cause(
        name="casts",
        find=_casts,
        cure="keep one type through the module; `.float()` in forward is exported as it stands",
    ),
    Cause(
        name="layout copies",
        find=_layout,
        cure="move permutes out of forward, or write them so that two neighbours cancel",
    ),
    Cause(
        name="grouped convolution",
        find=_grouped,
        cure="run this model in eager PyTorch, compiled or OpenVINO, which have a kernel for it",
    ),
    Cause(
        name="3-D convolution",
        find=_volume,
        cure="run this model in eager PyTorch, compiled or OpenVINO, which have a kernel for it",
    ),
    Cause(
        name="unrolled or decomposed operators",
        find=_tiny,
        cure="export the operator as one node (nn.LSTM, nn.GELU, scaled_dot_product_attention), or with a newer opset",
    ),
    Cause(
        name="dynamic shapes",
        find=_shapes,
        cure="fix the axes that never change (`Export(dynamic=...)` with fewer of them)",
    ),
    Cause(
        name="elementwise chain",
        find=_elementwise,
        cure="use the module that has a fused kernel (GELU, LayerNorm, SiLU), or `--backend compiled`, which fuses any",
    ),
    Cause(
        name="scattered indexing",
        find=_scattered,
        cure="do it outside of the graph, or keep fewer candidates (top-k, boxes)",
    ),
    Cause(name="thread barriers", find=_threads, cure="--threads 1"),
)
"""Every cause that can be named."""


def _told(evidence: Evidence, nodes: Sequence[ProfiledNode], what: str) -> tuple[float, str] | None:
    """Return (share of the nodes, sentence with their number, share and the longest); None without nodes."""
    if not nodes:
        return None
    share = evidence.share(tuple(nodes))
    operators = Counter(node.operator for node in nodes)
    named = ", ".join(f"{number} {name}" for name, number in operators.most_common(3))
    longest = nodes[0]
    return share, (
        f"{what}. {named} take {units.percent(share)} of a run, {longest.name} alone"
        f" {units.seconds(longest.seconds)}"
    )


def products(evidence: Evidence) -> float:
    """Return the share of a run in convolutions and matrix products: what a healthy graph spends its time on."""
    return evidence.share(evidence.chosen(lambda n: n.operator in PRODUCTS))
