"""Report: what a run says, derived from its records alone; every renderer shows this one value.

Schema history
  1  first version.
  2  `lives` and `foundations`. `rows` holds what was benchmarked alone, one row per variant (its id ends with it); the
     stages of a model's life, `build` among them, are in `lives`. Steps name their variant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bench.summary.elements import Doubt, Finding, Graph, Parity, Quantity, Step, Timing
from bench.summary.lifecycle_records import Foundation, Life
from bench.summary.roofline_records import Roofline
from bench.summary.verdicts import GateVerdict
from suite.axes import ORIGINAL

SCHEMA: Final = 2
CLEAR_RATIO: Final = 1.05
"""Ratio that a speed-up must clear with its whole interval before it is called one.

Two fresh processes that run the same code differ by 4-10% on shared machines, and an interval from within one process
cannot see that.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One backend of a row."""

    backend: str
    cell: str
    """The cell's id."""
    steps: tuple[Step, ...]
    timing: Timing | None = None
    memory: tuple[Quantity, ...] = ()
    coldstart: tuple[Quantity, ...] = ()
    """In the order in which the phases ran."""
    doubts: tuple[Doubt, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    """Metric that this backend cannot give -> why."""

    def quantity(self, metric: str) -> float | None:
        """The value of that memory or cold-start metric, or None."""
        found = (q.value for q in (*self.memory, *self.coldstart) if q.metric == metric)
        return next(found, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How many times faster a backend is than the reference backend."""

    backend: str
    over: str
    ratio: float
    """Reference p50 / this p50: above 1, this backend is faster."""
    low: float | None
    """Worst case of both intervals: reference low / this high. None when either has no interval."""
    high: float | None
    verdict: str
    """`faster`, `slower`, or `unclear`: the interval comes too near to 1, or there is none."""

    @property
    def kind(self) -> str:
        """`faster`, `slower`, or why it is unclear: `same`, `unclear` (too wide an interval) or `few` (no interval)."""
        if self.verdict != "unclear":
            return self.verdict
        if self.low is None or self.high is None:
            return "few"
        is_near = self.low >= 1 / CLEAR_RATIO and self.high <= CLEAR_RATIO
        return "same" if is_near else "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How fast the data loader hands samples over, with one number of workers."""

    num_workers: int
    rate: float
    """Samples per second, the median over batches."""
    low: float | None
    high: float | None
    is_pinned: bool
    batch: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """What a training of this row costs."""

    step: Timing | None = None
    """Seconds of one optimizer step on one batch that lies ready."""
    num_samples: int | None = None
    """Samples of that batch."""
    memory: tuple[Quantity, ...] = ()
    optimizer: str = ""
    precision: str = ""
    loading: tuple[Loading, ...] = ()
    """By number of workers, fewest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model in one state at one size, device, dtype and batch, through every backend."""

    id: str
    """`model-size-device-dtype-bBATCH`, with `-VARIANT` behind it for another state than the original."""
    model: str
    size: str
    device: str
    dtype: str
    batch: int
    length: int = 0
    """Tokens per sample, where they were asked for; 0 = the record's own."""
    variant: str = ORIGINAL
    """A row of `suite.axes.VARIANTS`: which of the model's states was measured."""
    lanes: tuple[Lane, ...]
    speedups: tuple[Speedup, ...] = ()
    parameters: int | None = None
    parameter_bytes: int | None = None
    macs: int | None = None
    graph: Graph | None = None
    parity: Parity | None = None
    shared: tuple[Step, ...] = ()
    """Steps taken once per model and size under another cell: export, size."""
    learning: Learning | None = None

    def lane(self, backend: str) -> Lane | None:
        """The lane of that backend, or None."""
        return next((lane for lane in self.lanes if lane.backend == backend), None)

    @property
    def fastest(self) -> str:
        """The backend with the lowest p50 that also clearly differs from eager; empty when it cannot be told."""
        if not self.speedups:
            return ""
        if all(speedup.verdict == "slower" for speedup in self.speedups):
            return self.speedups[0].over
        best = max(self.speedups, key=lambda speedup: speedup.ratio)
        return best.backend if best.verdict == "faster" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The run in numbers."""

    num_rows: int
    num_planned: int
    """Rows, and those that a planned step not reached would have made."""
    num_measured: int
    """Rows with at least one warm latency."""
    num_cells: int
    num_faster: Mapping[str, int] = field(default_factory=dict)
    """Backend -> rows where it is clearly faster than the reference."""
    num_slower: Mapping[str, int] = field(default_factory=dict)
    num_unclear: Mapping[str, int] = field(default_factory=dict)
    mean_speedup: Mapping[str, float] = field(default_factory=dict)
    """Backend -> geometric mean of its speed-up over the reference, rows with both."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Outcome -> number of steps, `not_reached` included."""
    num_models: int = 0
    """Models with a row or a life."""
    num_claims: int = 0
    """What the stages claimed of themselves, and how much of it did not hold."""
    num_broken: int = 0
    mean_state_speedup: Mapping[str, float] = field(default_factory=dict)
    """State (pruned, int8 ...) -> geometric mean over the lives of its wall-clock ratio against eager, trained."""
    num_state_speedups: Mapping[str, int] = field(default_factory=dict)
    """State -> lives that this mean is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run, ready to be shown."""

    run_id: str
    folder: str
    """Name of the run folder; paths in the report are relative to it."""
    location: str
    """Where that folder lay when the report was built; not part of `as_dict`."""
    command: str
    started_at: str
    finished_at: str
    """Empty when the run did not finish."""
    seconds: float | None
    options: Mapping[str, Any]
    machine: tuple[tuple[str, str], ...]
    """(label, value) pairs that a reader needs beside the numbers."""
    settings: tuple[tuple[str, str], ...]
    """(label, value) pairs of what the run measured with: plan, threads, weights, data."""
    environment: Mapping[str, Any]
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    lives: tuple[Life, ...]
    """What became of every model that went through stages."""
    foundations: tuple[Foundation, ...]
    """The known-answer cases, by case, device and dtype."""
    unfinished: tuple[Step, ...]
    """Every step that did not pass: failed ones first, then declared gaps, then what was not reached."""
    excluded: tuple[tuple[str, str], ...]
    """(what, reason) that was left out before the run began."""
    problems: tuple[str, ...]
    """What is missing or damaged in the run folder itself."""
    totals: Totals
    roofline: Roofline | None = None
    """How near each model comes to what the machine can do; None when its peaks were not measured."""
    gate: GateVerdict | None = None
    """The newest gate over the run's commit; None when there is none."""
    schema: int = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-able data, without the path of the machine it was built on."""
        return {name: value for name, value in asdict(self).items() if name != "location"}
