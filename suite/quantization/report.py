"""Worker side. The report of a quantized graph, and its check against the record."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from suite.claims import Claim
from suite.lifecycle import Quantization
from suite.onnx_summary import nodes_of
from suite.quantization.count import CONVERSIONS, INTEGER, WEIGHTED, count
from suite.quantization.errors import QuantizationError
from suite.quantization.sessions import open_quietly
from suite.results.quantize import KernelCount, QuantizationReport
from suite.results.step_result import BytesLeft


def completed(report: QuantizationReport, before: Path, after: Path) -> QuantizationReport:
    """Add to a graph's report the operators of the file, the kernels that run, and the bytes."""
    counted, running = count(after), kernels(after)
    return replace(
        report,
        num_quantized=counted.num_quantized,
        num_kernels=running.num_integer,
        count=counted,
        kernels=running,
        bytes=bytes_left(before.stat().st_size, counted.num_bytes),
    )


def bytes_left(before: int, after: int) -> BytesLeft:
    """Return the two sizes and their ratio."""
    return BytesLeft(before=before, after=after, left=after / max(1, before))


def claims_of(report: QuantizationReport, settings: Quantization) -> list[Claim]:
    """Return the claims about a quantized graph's report: operators, kernels and bytes."""
    counted, running, size = report.count, report.kernels, report.bytes
    if counted is None or running is None or size is None:
        raise ValueError("the report of a quantized graph has a count, kernels and bytes")
    least = max(1, settings.least_operators)
    return [
        Claim(
            name="operators are quantized",
            holds=counted.num_quantized >= least,
            evidence=(
                f"{counted.num_quantized} quantized ({listed(counted.quantized)}), expected at least"
                f" {least}; with weights in float: {listed(counted.floating)}"
            ),
        ),
        Claim(
            name="ONNX Runtime runs them in 8 bits",
            holds=running.num_integer >= least,
            evidence=(
                f"{running.num_integer} 8-bit kernels ({listed(running.integer)}), expected at least"
                f" {least}; in float: {listed(running.floating)}; conversions:"
                f" {listed(running.conversions)}"
            ),
        ),
        smaller_claim("the graph is smaller", size, settings),
    ]


def check(report: QuantizationReport, settings: Quantization) -> None:
    """Raise QuantizationError naming every claim that does not hold."""
    broken = [claim for claim in claims_of(report, settings) if not claim.holds]
    if broken:
        raise QuantizationError(
            "; ".join(f"it does not hold that {claim.name}: {claim.evidence}" for claim in broken)
        )


def smaller_claim(name: str, size: BytesLeft, settings: Quantization) -> Claim:
    """Return the claim that no more of `size.before` bytes are left than the record allows."""
    return Claim(
        name=name,
        holds=size.left <= settings.bytes_left,
        evidence=(
            f"{size.before} -> {size.after} bytes, x{size.left:.3f}; expected at most"
            f" x{settings.bytes_left:g}"
        ),
    )


def listed(numbers: Mapping[str, int]) -> str:
    """Format names and numbers for a sentence: `Conv 20, Gemm 1`; `none` if empty."""
    return ", ".join(f"{name} {number}" for name, number in numbers.items()) or "none"


# The kernels that ONNX Runtime runs for a graph after its optimizer, in 8 bits and in float.


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
