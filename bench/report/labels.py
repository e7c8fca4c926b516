"""Short names: a row is called by its model and only those axes in which the run's rows differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.report.model import Report, Row, Speedup, Step
from bench.report.wording import REFERENCE, doubt_meaning
from suite.axes import BACKENDS

AXES: Final = ("size", "device", "dtype", "batch")


def axes_by_row(report: Report) -> dict[str, tuple[str, ...]]:
    """Row id -> its size, device, dtype and batch, as far as they tell rows of this report apart."""
    varying = {name for name in AXES if len(_values(report, name)) > 1}
    return {
        row.id: tuple(text for name, text in _axes(row) if name in varying) for row in report.rows
    }


def labels_of(report: Report) -> dict[str, str]:
    """Row id -> `bert`, or `bert cuda b8` in a run with several devices and batches."""
    axes = axes_by_row(report)
    return {row.id: " ".join((row.model, *axes[row.id])) for row in report.rows}


def common_axes(report: Report) -> tuple[str, ...]:
    """What all rows share, e.g. base, cpu, float32, batch 1."""
    if not report.rows:
        return ()
    return tuple(
        f"batch {text[1:]}" if name == "batch" else text
        for name, text in _axes(report.rows[0])
        if len(_values(report, name)) == 1
    )


def backends_of(report: Report) -> tuple[str, ...]:
    """Every backend of the report, eager first."""
    found = {lane.backend for row in report.rows for lane in row.lanes}
    order = {name: place for place, name in enumerate((REFERENCE, *BACKENDS))}
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))


def times(ratio: float) -> str:
    """`1.62×`; two decimals below 10, so that ratios line up."""
    return (
        f"{ratio:.2f}×" if ratio < 9.995 else f"{ratio:.1f}×" if ratio < 99.95 else f"{ratio:,.0f}×"
    )


def ratio_text(speedup: Speedup) -> str:
    """`▲ 1.62×`: up = faster than eager, down = slower, `≈` = the intervals cannot tell."""
    mark = {"faster": "▲", "slower": "▼"}.get(speedup.verdict, "≈")
    return f"{mark} {times(speedup.ratio)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Steps of one cell that ended alike, so that one cause is told once."""

    first: Step
    steps: tuple[str, ...]


def grouped(steps: Iterable[Step]) -> tuple[Group, ...]:
    """The steps with those of one cell, outcome and reason put together, order kept."""
    found: dict[tuple[str, str, str], list[Step]] = {}
    for step in steps:
        found.setdefault((step.cell, step.outcome, step.reason), []).append(step)
    return tuple(
        Group(
            first=max(members, key=lambda step: len(step.log_tail)),
            steps=tuple(dict.fromkeys(member.step for member in members)),
        )
        for members in found.values()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtGroup:
    """One kind of doubt and every lane that has it."""

    code: str
    summary: str
    """What this kind of doubt is, in general; the numbers are with each cell."""
    advice: tuple[str, ...]
    """What to do, each advice once."""
    lanes: tuple[tuple[str, str, str], ...]
    """(row id, row label, backend)."""


def doubts_of(report: Report) -> tuple[DoubtGroup, ...]:
    """The report's doubts by kind, the most frequent first."""
    lanes: dict[str, dict[tuple[str, str, str], None]] = {}
    advice: dict[str, dict[str, None]] = {}
    labels = labels_of(report)
    for row in report.rows:
        for lane in row.lanes:
            for doubt in lane.doubts:
                lanes.setdefault(doubt.code, {})[row.id, labels[row.id], lane.backend] = None
                advice.setdefault(doubt.code, {})[doubt.advice] = None
    return tuple(
        DoubtGroup(
            code=code,
            summary=doubt_meaning(code),
            advice=tuple(text for text in advice[code] if text)[:3],
            lanes=tuple(found),
        )
        for code, found in sorted(lanes.items(), key=lambda pair: -len(pair[1]))
    )


def _axes(row: Row) -> tuple[tuple[str, str], ...]:
    return (
        ("size", row.size),
        ("device", row.device),
        ("dtype", row.dtype),
        ("batch", f"b{row.batch}"),
    )


def _values(report: Report, axis: str) -> frozenset[object]:
    return frozenset(getattr(row, axis) for row in report.rows)
