"""View of the report's rows for the HTML templates: formatted texts and positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from bench.charts.axis import Axis, ratio_axis
from bench.charts.bars import Diverging, Strip, diverging, share, strip_of
from bench.output.names import COMPARISONS, NOT_REACHED, backend_name, metric_name, plural
from bench.output.text import shortened
from bench.report.anchor import anchor
from bench.report.lane_tables import computed_text, fallen_text, over_text
from bench.steps import step_name
from bench.summary.answers import verdict_text
from bench.summary.elements import Quantity, Step, Timing
from bench.summary.labels import axes_by_row, labels_of, name_of, times
from bench.summary.lane_causes import causes_of_lane
from bench.summary.model import Lane, Report, Row, Speedup
from suite import units
from suite.axes import DTYPES, REFERENCE
from suite.outcome import Outcome

MEMORY = ("peak_rss_delta", "peak_tensor_bytes", "cuda_allocated", "cuda_reserved")
"""Memory metrics with a column and bars; others (leak) are in the model's details."""

PASSED: Final = Outcome.PASSED.value


class Bar(NamedTuple):
    """A number with its bar; a page has tens of thousands, and a tuple is made in a third of a dataclass's time."""

    text: str
    percent: float
    whisker: tuple[float, float] | None = None
    """(left, width) in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """View of one backend of a row."""

    lane: Lane
    anchor: str
    name: str
    wins: bool
    missing: str
    """Outcome of the latency step if there is no latency."""
    latency: Bar | None
    interval: str
    half_width: str
    p90: str
    rate: str
    memory: Mapping[str, Bar]
    memory_missing: str
    cold: Mapping[str, Bar]
    """Cold-start phase -> its seconds, in execution order."""
    cold_total: str
    cold_missing: str
    strip: Strip | None
    strip_label: str
    strip_caption: str
    facts: tuple[tuple[str, str, str], ...]
    """(`part` of the number above or empty, name, text) of every other number of this backend."""
    doubted: str
    """The doubts about its numbers in one line; empty for none."""
    spoiled: tuple[tuple[Step, str], ...]
    """(first step, names) of those that did not pass, by outcome and reason: one cause is told once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedupView:
    """View of a speed-up."""

    speedup: Speedup
    text: str
    interval: str
    bar: Diverging
    middle: float
    """Position of ratio 1 in percent from the left."""
    against: str
    """`against float32` where the row is in another dtype; else empty."""


class StepLine(NamedTuple):
    """View of one step of a row: its phases, or why it did not pass."""

    title: str
    backend: str
    outcome: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """View of one row."""

    row: Row
    anchor: str
    label: str
    name: str
    """The model's name, shortened for tables."""
    axes: tuple[str, ...]
    lanes: tuple[LaneView, ...]
    speedups: tuple[SpeedupView, ...]
    told: SpeedupView | None
    """The one that stands for the row at a glance: of the fastest, else the highest that is known, else the first."""
    outcomes: tuple[str, ...]
    search: str
    sort: Mapping[str, float]
    """Key -> number to sort by; a key without a number is missing."""
    steps: tuple[Step, ...]
    step_lines: tuple[StepLine, ...]


@dataclass(frozen=True, slots=True)
class _Scales:
    """Scales shared by all rows of a report."""

    ratios: Axis
    coldest: float
    """Seconds of the slowest cold start."""
    num_dots: int
    """Samples drawn per cell."""


DOTS: Final = 40_000
"""Maximum number of samples drawn in one file: all of a small run, fewer of each cell in a large one."""


def row_views(report: Report, unfinished: Sequence[Step]) -> tuple[RowView, ...]:
    """Return every row of the report with the report's own scales for bars."""
    axes, labels = axes_by_row(report), labels_of(report)
    ratios = ratio_axis([s.ratio for row in report.rows for s in row.speedups if s.is_known])
    coldest = max((_total(lane) for row in report.rows for lane in row.lanes), default=0.0)
    num_lanes = sum(len(row.lanes) for row in report.rows) or 1
    scales = _Scales(ratios, coldest, max(20, DOTS // num_lanes))
    waiting: dict[str, list[Step]] = {}
    for step in unfinished:
        if step.outcome == NOT_REACHED:
            waiting.setdefault(step.row, []).append(step)
    return tuple(_row(row, axes[row.id], labels[row.id], scales, waiting) for row in report.rows)


def _row(
    row: Row,
    axes: tuple[str, ...],
    label: str,
    scales: _Scales,
    waiting: Mapping[str, list[Step]],
) -> RowView:
    steps = (
        *(step for lane in row.lanes for step in lane.steps),
        *row.shared,
        *waiting.get(row.id, ()),
    )
    speedups = tuple(_speedup(s, scales.ratios, row.dtype) for s in row.speedups)
    return RowView(
        row=row,
        anchor=anchor(row.id),
        label=label,
        name=shortened(name_of(row), 80),
        axes=axes,
        lanes=tuple(_lane(row, lane, scales) for lane in row.lanes),
        speedups=speedups,
        told=max(speedups, key=lambda s: _weight(row, s.speedup), default=None),
        outcomes=tuple(dict.fromkeys(step.outcome for step in steps)),
        search=shortened(
            " ".join(
                (name_of(row), row.size, row.device, row.dtype, f"b{row.batch}", *axes)
            ).lower(),
            400,
        ),
        sort=_sort_keys(row),
        steps=steps,
        step_lines=tuple(map(_step_line, steps)),
    )


def _weight(row: Row, speedup: Speedup) -> tuple[bool, bool, float]:
    return speedup.backend == row.fastest, speedup.is_known, speedup.ratio


def _step_line(step: Step) -> StepLine:
    note = " · ".join(
        f"{shortened(phase.replace('_', ' '), 40)} {units.seconds(seconds)}"
        for phase, seconds in step.phases.items()
    )
    if not note and step.outcome != PASSED:
        note = shortened(step.reason, 300)
    return StepLine(
        title=step_name(step.step),
        backend=backend_name(step.backend),
        outcome=step.outcome,
        note=note,
    )


def _lane(row: Row, lane: Lane, scales: _Scales) -> LaneView:
    timing = lane.timing
    ends = {step.step: step.outcome for step in lane.steps}
    slowest = max((x.timing.high or x.timing.p50 for x in row.lanes if x.timing), default=0.0)
    most = max((q.value for x in row.lanes for q in x.memory if q.metric in MEMORY), default=0.0)
    width = timing.relative_half_width if timing else None
    latency = None
    if timing:
        whisker = None
        if timing.low is not None and timing.high is not None:
            left = share(timing.low, slowest)
            whisker = (left, share(timing.high, slowest) - left)
        latency = Bar(
            text=units.seconds(timing.p50), percent=share(timing.p50, slowest), whisker=whisker
        )
    strip = strip_of(timing, scales.num_dots) if timing else None
    label, caption = _strip_words(strip, timing)
    p90 = units.seconds(timing.p90) if timing and timing.p90 is not None else ""
    rate = units.rate(timing.throughput, timing.throughput_unit) if timing else ""
    memory = {q.metric: _bar(q, most) for q in lane.memory if q.metric in MEMORY}
    cold = {
        q.metric: Bar(text=units.seconds(q.value), percent=share(q.value, scales.coldest))
        for q in lane.coldstart
    }
    cold_total = units.seconds(_total(lane)) if lane.coldstart else ""
    facts = [
        ("", "p90", p90),
        ("", "throughput", "" if rate == units.ABSENT else rate),
        *(("", metric_name(metric), bar.text) for metric, bar in memory.items()),
        *(
            ("", shortened(metric_name(q.metric), 60), quantity_text(q))
            for q in lane.memory
            if q.metric not in MEMORY
        ),
        ("", "cold start", cold_total),
        *(("part", metric_name(metric), bar.text) for metric, bar in cold.items()),
        *(_more_facts(row, lane) if lane.likeness or lane.ran or lane.compiled else ()),
    ]
    return LaneView(
        lane=lane,
        anchor=anchor(lane.cell),
        name=backend_name(lane.backend),
        wins=row.fastest == lane.backend,
        missing="" if timing else ends.get("latency", ""),
        latency=latency,
        interval=between(timing.low, timing.high) if timing else "",
        half_width=units.half_width(width),
        p90=p90,
        rate=rate,
        memory=memory,
        memory_missing="" if lane.memory else ends.get("memory", ""),
        cold=cold,
        cold_total=cold_total,
        cold_missing="" if lane.coldstart else ends.get("coldstart", ""),
        strip=strip,
        strip_label=label,
        strip_caption=caption,
        facts=tuple(fact for fact in facts if fact[2]),
        doubted="; ".join(doubt.summary for doubt in lane.doubts),
        spoiled=_spoiled(lane.steps),
    )


def _spoiled(steps: Sequence[Step]) -> tuple[tuple[Step, str], ...]:
    found: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        if step.outcome != PASSED:
            found.setdefault((step.outcome, step.reason), []).append(step)
    return tuple(
        (own[0], ", ".join(step_name(step.step) for step in own)) for own in found.values()
    )


def _more_facts(row: Row, lane: Lane) -> list[tuple[str, str, str]]:
    """Return what is known of a lane beside its speed, memory and cold start."""
    ran, likeness, compiled = lane.ran, lane.likeness, lane.compiled
    return [
        ("", f"against {REFERENCE} {DTYPES[0]}", over_text(row, lane)),
        ("", "computed", computed_text(ran) if ran else ""),
        ("", "answers", verdict_text(likeness) if likeness else ""),
        ("", "fell back", fallen_text(likeness) if likeness else ""),
        ("", "compile, no cache", units.seconds(compiled.cold) if compiled else ""),
        ("part", "again in that process", units.seconds(compiled.warm) if compiled else ""),
        ("part", "new process, cache kept", units.seconds(compiled.cached) if compiled else ""),
        *(("", "why slow", f"{c.cause}: {c.sentence}") for c in causes_of_lane(row, lane)[:1]),
    ]


def _strip_words(strip: Strip | None, timing: Timing | None) -> tuple[str, str]:
    """Return label and caption of the samples' drawing; empty without one."""
    if strip is None or timing is None:
        return "", ""
    ends = f"{units.seconds(strip.low)} to {units.seconds(strip.high)}"
    rounds = plural(timing.num_samples, "round")
    caption = f"{ends} · {rounds} of {plural(timing.iterations_per_sample, 'iteration')}"
    stopped = f" · stopped by {shortened(timing.stopped, 60)}" if timing.stopped else ""
    return f"{timing.num_samples} samples in order, {ends}", caption + stopped


def quantity_text(quantity: Quantity) -> str:
    """Return the value formatted with its unit; an unknown unit is shown unchanged."""
    try:
        return units.shown(quantity.value, quantity.unit)
    except ValueError:
        return f"{units.significant(quantity.value)} {quantity.unit}"


def between(low: float | None, high: float | None) -> str:
    """Return both ends of an interval, e.g. `19.1–19.5 ms`, with the unit once if they share it."""
    if low is None or high is None:
        return ""
    first, last = units.seconds(low), units.seconds(high)
    number, _, unit = first.rpartition(" ")
    return f"{number}–{last}" if last.endswith(f" {unit}") else f"{first} – {last}"


def _bar(quantity: Quantity, most: float) -> Bar:
    return Bar(text=quantity_text(quantity), percent=share(quantity.value, most))


def _speedup(speedup: Speedup, axis: Axis, dtype: str) -> SpeedupView:
    interval = ""
    if speedup.low is not None and speedup.high is not None:
        interval = f"{times(speedup.low)[:-1]}–{times(speedup.high)}"
    return SpeedupView(
        speedup=speedup,
        text=times(speedup.ratio) if speedup.is_known else COMPARISONS["few"][1],
        interval=interval,
        bar=diverging(speedup.ratio, speedup.low, speedup.high, axis),
        middle=axis.place(1.0),
        against=f"against {speedup.over_dtype}" if speedup.over_dtype != dtype else "",
    )


def _total(lane: Lane) -> float:
    return sum(quantity.value for quantity in lane.coldstart)


def _sort_keys(row: Row) -> dict[str, float]:
    found: dict[str, Any] = {
        "latency": min((x.timing.p50 for x in row.lanes if x.timing), default=None),
        "speedup": max((s.ratio for s in row.speedups if s.is_known), default=None),
        "cold": min((_total(x) for x in row.lanes if x.coldstart), default=None),
        "parameters": row.parameters,
        "macs": row.macs,
        "file": row.graph.num_bytes if row.graph else None,
        "nodes": row.graph.num_nodes if row.graph else None,
        "training": row.learning.step.p50 if row.learning and row.learning.step else None,
    }
    for metric in MEMORY:
        values = [q for lane in row.lanes if (q := lane.quantity(metric)) is not None]
        found[metric] = max(values, default=None)
    return {key: value for key, value in found.items() if value is not None}
