"""Short names: a row is named by its model and only those axes in which the run's rows differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.output.names import COMPARISONS, doubt_meaning, variant_name
from bench.steps import step_name
from bench.summary.elements import Step
from bench.summary.lifecycle_records import Ratio
from bench.summary.model import Mean, Report, Row, Speedup
from suite import units
from suite.axes import BACKENDS, DTYPES, ORIGINAL, REFERENCE, VARIANTS

AXES: Final = ("size", "device", "dtype", "batch")
"""Axes of rows and of lives."""
GAPS: Final = ("unsupported", "unavailable")
FOLLOWS: Final = ("state", "graph")
"""`Step.kind` of one whose starting state or graph could not be made."""


def axes_by_row(report: Report) -> dict[str, tuple[str, ...]]:
    """Return row id -> its size, device, dtype, batch and length, if they distinguish rows of this report."""
    varying = {name for name in (*AXES, "length") if len(_values(report, name)) > 1}
    return {
        row.id: tuple(text for name, text in _axes(row) if name in varying) for row in report.rows
    }


def labels_of(report: Report) -> dict[str, str]:
    """Return row id -> `bert`, or `bert cuda b8` in a run with several devices and batches."""
    axes = axes_by_row(report)
    return {row.id: " ".join((name_of(row), *axes[row.id])) for row in report.rows}


def name_of(row: Row) -> str:
    """Return `resnet18`, or `resnet18 · int8` for another state than the original."""
    return row.model if row.variant == ORIGINAL else f"{row.model} · {variant_name(row.variant)}"


def life_names(report: Report) -> dict[str, str]:
    """Return life id -> its model, with those of size, device, dtype and batch in which the lives of this report
    differ.
    """
    varying = [a for a in AXES if len({getattr(life, a) for life in report.lives}) > 1]
    return {
        life.id: " ".join(
            (life.model, *(_life_axis(axis, getattr(life, axis)) for axis in varying))
        )
        for life in report.lives
    }


def _life_axis(axis: str, value: object) -> str:
    return f"b{value}" if axis == "batch" else str(value)


def common_axes(report: Report) -> tuple[str, ...]:
    """Return the values that all rows share, e.g. base, cpu, float32, batch 1."""
    if not report.rows:
        shared = {axis: {getattr(life, axis) for life in report.lives} for axis in AXES}
        return tuple(
            f"batch {value}" if axis == "batch" else str(value)
            for axis, values in shared.items()
            if len(values) == 1
            for value in values
        )
    return tuple(
        f"batch {text[1:]}" if name == "batch" else text
        for name, text in _axes(report.rows[0])
        if len(_values(report, name)) == 1
    )


def backends_of(report: Report) -> tuple[str, ...]:
    """Return every backend of the report, eager first."""
    found = {lane.backend for row in report.rows for lane in row.lanes}
    order = {name: place for place, name in enumerate((REFERENCE, *BACKENDS))}
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))


def times(ratio: float) -> str:
    """Return `1.62×`; two decimals below 10, so that ratios align."""
    if ratio < 0.095:
        return f"{ratio:.2g}×"
    return (
        f"{ratio:.2f}×" if ratio < 9.995 else f"{ratio:.1f}×" if ratio < 99.95 else f"{ratio:,.0f}×"
    )


def interval_text(low: float | None, high: float | None) -> str:
    """Return ` (1.58–1.66×)` for an interval of ratios, with a leading space; empty without one."""
    if low is None or high is None or low == high:  # the reference against itself
        return ""
    return f" ({times(low)[:-1]}–{times(high)})"


def known_text(ratio: Ratio | None) -> str:
    """Return `1.62× (1.58–1.66×)`; a dash for no ratio, `too few pairs` for one without an interval."""
    if ratio is None:
        return units.ABSENT
    if not ratio.is_known:
        return COMPARISONS["few"][1]
    return times(ratio.value) + interval_text(ratio.low, ratio.high)


def mean_text(mean: Mean) -> str:
    """Return `1.62× (1.58–1.66×)`."""
    return times(mean.value) + interval_text(mean.low, mean.high)


def ratio_text(speedup: Speedup) -> str:
    """Return `▲ 1.62× (1.58–1.66×)`, and `… too few pairs` without an interval; the marks are those of
    `bench.output.names.COMPARISONS`.
    """
    mark, words, _ = COMPARISONS[speedup.verdict]
    if not speedup.is_known:
        return f"{mark} {words}"
    return f"{mark} {times(speedup.ratio)}{interval_text(speedup.low, speedup.high)}"


def ratio_legend(report: Report) -> str:
    """Return what the marks of this report's speed-ups mean: `▲ faster, ▼ slower than eager, ...`."""
    kinds = {speedup.verdict for row in report.rows for speedup in row.speedups}
    found = [f"{mark} {words}" for name, (mark, words, _) in COMPARISONS.items() if name in kinds]
    narrow = [lane for row in report.rows if row.dtype != DTYPES[0] for lane in row.lanes]
    of_graphs = any(
        lane.backend in BACKENDS and BACKENDS[lane.backend].needs_graph for lane in narrow
    )
    which = f" (for graphs in {DTYPES[0]})" if of_graphs else ""
    return f"{', '.join(found)}; against {REFERENCE}{which}" if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Steps with the same outcome and reason, so that one cause is shown once."""

    first: Step
    steps: tuple[str, ...]
    cells: tuple[str, ...]


def grouped(steps: Iterable[Step]) -> tuple[Group, ...]:
    """Return the steps grouped by cell, outcome and reason, in order; a gap once for all cells of its model. Steps
    whose starting state could not be made are left to `followers_of`.
    """
    found: dict[tuple[str, str, str], list[Step]] = {}
    for step in steps:
        if step.kind in FOLLOWS:
            continue
        whose = step.model if step.outcome in GAPS else step.cell
        found.setdefault((whose, step.outcome, step.reason), []).append(step)
    return tuple(
        Group(
            first=max(members, key=lambda step: len(step.log_tail)),
            steps=tuple(dict.fromkeys(member.step for member in members)),
            cells=tuple(dict.fromkeys(member.cell for member in members)),
        )
        for members in found.values()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """Steps, all with one outcome, that were not tried because their starting state could not be made."""

    outcome: str
    num_steps: int
    models: tuple[tuple[str, tuple[Step, ...]], ...]
    """(model, its steps)."""


def followers_of(steps: Iterable[Step]) -> tuple[Followers, ...]:
    """Return the steps whose starting state could not be made, by outcome and model, in order."""
    found: dict[str, dict[str, list[Step]]] = {}
    for step in steps:
        if step.kind in FOLLOWS:
            found.setdefault(step.outcome, {}).setdefault(step.model, []).append(step)
    return tuple(
        Followers(
            outcome=outcome,
            num_steps=sum(map(len, models.values())),
            models=tuple((model, tuple(own)) for model, own in models.items()),
        )
        for outcome, models in found.items()
    )


def stage_name(step: Step) -> str:
    """Return `quantize int8`, `export pruned`; only the step's name if that is sufficient: `build`, `train`,
    `prune`.
    """
    name = step_name(step.step)
    is_alone = [v.name for v in VARIANTS.values() if v.stage == step.step] == [step.variant]
    if is_alone or step.variant == ORIGINAL:
        return name
    return f"{name} {variant_name(step.variant)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtGroup:
    """One kind of doubt and all lanes that have it."""

    code: str
    summary: str
    """General description of this kind of doubt; the numbers are with each cell."""
    advice: tuple[str, ...]
    """Recommended actions, each once."""
    lanes: tuple[tuple[str, str, str], ...]
    """(row id, row label, backend)."""


def doubts_of(report: Report) -> tuple[DoubtGroup, ...]:
    """Return the report's doubts by kind, the most frequent first."""
    lanes: dict[str, dict[tuple[str, str, str], None]] = {}
    advice: dict[str, dict[str, None]] = {}
    questions: dict[str, dict[str, None]] = {}
    labels = labels_of(report)
    for row in report.rows:
        for lane in row.lanes:
            for doubt in lane.doubts:
                lanes.setdefault(doubt.code, {})[row.id, labels[row.id], lane.backend] = None
                advice.setdefault(doubt.code, {})[doubt.advice] = None
                questions.setdefault(doubt.code, {})[doubt.questions] = None
    return tuple(
        DoubtGroup(
            code=code,
            summary=f"{', '.join(q for q in questions[code] if q)}: {doubt_meaning(code)}",
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
        *((("length", f"{row.length} tokens"),) if row.length else ()),
    )


def _values(report: Report, axis: str) -> frozenset[object]:
    return frozenset(getattr(row, axis) for row in report.rows)
