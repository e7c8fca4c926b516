"""Worker side. What quantizing a graph came to, and whether that is what the record asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.claims import Claim
from suite.lifecycle import Quantization
from suite.quantization.count import count
from suite.quantization.errors import QuantizationError
from suite.quantization.kernels import kernels


def outcome_of(before: Path, after: Path) -> dict[str, Any]:
    """JSON-able: `num_quantized` and `count` of the file, `num_kernels` and `kernels` of what runs, and `bytes`."""
    counted = count(after)
    running = kernels(after)
    num_before = before.stat().st_size
    return {
        "num_quantized": counted["num_quantized"],
        "num_kernels": running["num_integer"],
        "count": counted,
        "kernels": running,
        "bytes": {
            "before": num_before,
            "after": counted["num_bytes"],
            "left": counted["num_bytes"] / num_before,
        },
    }


def claims_of(facts: Mapping[str, Any], settings: Quantization) -> list[Claim]:
    """What has to hold of the facts of a quantized graph."""
    least = max(1, settings.least_operators)
    return [
        Claim(
            name="operators are quantized",
            holds=facts["num_quantized"] >= least,
            evidence=(
                f"{facts['num_quantized']} quantized ({listed(facts['count']['quantized'])}), expected at least"
                f" {least}; with weights in float: {listed(facts['count']['floating'])}"
            ),
        ),
        Claim(
            name="ONNX Runtime runs them in 8 bits",
            holds=facts["num_kernels"] >= least,
            evidence=(
                f"{facts['num_kernels']} 8-bit kernels ({listed(facts['kernels']['integer'])}), expected at least"
                f" {least}; in float: {listed(facts['kernels']['floating'])}; conversions:"
                f" {listed(facts['kernels']['conversions'])}"
            ),
        ),
        smaller_claim("the graph is smaller", facts["bytes"], settings),
    ]


def check(facts: Mapping[str, Any], settings: Quantization) -> None:
    """Raises QuantizationError naming every claim that does not hold."""
    broken = [claim for claim in claims_of(facts, settings) if not claim.holds]
    if broken:
        raise QuantizationError(
            "; ".join(f"it does not hold that {claim.name}: {claim.evidence}" for claim in broken)
        )


def smaller_claim(name: str, size: Mapping[str, Any], settings: Quantization) -> Claim:
    """That of `size["before"]` bytes no more are left than the record allows."""
    return Claim(
        name=name,
        holds=size["left"] <= settings.bytes_left,
        evidence=(
            f"{size['before']} -> {size['after']} bytes, x{size['left']:.3f}; expected at most"
            f" x{settings.bytes_left:g}"
        ),
    )


def listed(numbers: Mapping[str, int]) -> str:
    """Names and numbers in a sentence: `Conv 20, Gemm 1`; `none` where there is nothing."""
    return ", ".join(f"{name} {number}" for name, number in numbers.items()) or "none"
