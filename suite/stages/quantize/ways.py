"""Worker side. Ways of quantizing a whole graph that are tried before layers are left in float, one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from suite.lifecycle import Quantization
from suite.quantization.types import U8U8
from suite.results.quantize import QuantizationReport

PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayRow:
    """One way."""

    name: str
    applies: Callable[[Quantization, QuantizationReport], bool]
    """Whether it differs from the plain way, given the record's settings and the plain graph's report."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the function that quantizes."""
    is_smoothed: bool = False
    """Whether the float graph is smoothed first: it computes the same, with evener activations."""
    meaning: str


def _is_static(settings: Quantization, report: QuantizationReport) -> bool:
    return report.method == "static"


def _has_seven_bits(settings: Quantization, report: QuantizationReport) -> bool:
    return _is_static(settings, report) and bool(report.types and report.types.reduce_range)


WAYS: Final = {
    row.name: row
    for row in (
        WayRow(
            name="eight bits",
            applies=_has_seven_bits,
            changes={"types": U8U8},
            meaning="weights of eight bits where this CPU is fast with seven alone: slower, exact",
        ),
        WayRow(
            name="smooth",
            applies=lambda settings, report: report.method in ("static", "dynamic"),
            is_smoothed=True,
            meaning="channels of activations made even in the layers and norms around them (SmoothQuant, equalization)",
        ),
        WayRow(
            name="percentile 99.99",
            applies=_is_static,
            changes={"ranges": "percentile 99.99"},
            meaning="ranges of activations without their rarest values, one in ten thousand",
        ),
        WayRow(
            name="percentile 99.9",
            applies=_is_static,
            changes={"ranges": "percentile 99.9"},
            meaning="ranges of activations without their rarest values, one in a thousand",
        ),
    )
}
"""Name -> way, in the order in which they are tried. A scale per channel of every weight is the plain way already."""
