"""Report: what a run says, derived from its records alone; every renderer shows this one value.

Schema history
  1  first version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A reason to distrust one number."""

    code: str
    summary: str
    advice: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Warm latency of one cell: seconds per iteration."""

    p50: float
    low: float | None
    """Lower end of the order-statistic interval on the median; None when there are too few samples."""
    high: float | None
    confidence: float
    """What the interval was asked to cover, e.g. 0.95."""
    p90: float | None
    """None when there are too few samples for an honest 90th percentile."""
    num_samples: int
    iterations_per_sample: int
    throughput: float | None
    """Work per second at the median."""
    throughput_unit: str
    """`samples` or `tokens`."""
    stopped: str = ""
    """Why the measuring stopped, in the instrument's words."""
    samples: tuple[float, ...] = ()
    """In the order in which they were taken, thinned evenly for drawing."""

    @property
    def relative_half_width(self) -> float | None:
        """Half the interval's width as a share of the median, or None without an interval."""
        if self.low is None or self.high is None or not self.p50:
            return None
        return (self.high - self.low) / 2 / self.p50


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number with its metric: memory, cold-start parts, sizes."""

    metric: str
    value: float
    unit: str
    num_samples: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the doctor says, of this machine or of one failure."""

    level: str
    code: str
    summary: str
    cause: str = ""
    fixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one step (latency, memory, ...) of one cell ended."""

    cell: str
    """The cell's id."""
    row: str
    """Id of the row that the cell belongs to."""
    model: str
    size: str
    backend: str
    step: str
    outcome: str
    """A value of `suite.outcome.Outcome`, or `not_reached`: planned and without a record."""
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    kind: str = ""
    """Exception class, signal name, `deadline`, `gap` ..."""
    reason: str = ""
    phase: str = ""
    log_tail: str = ""
    log: str = ""
    """The whole log, relative to the run folder."""
    url: str = ""
    diagnosis: tuple[Finding, ...] = ()
    """What the doctor makes of the failure, best first."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Agreement of the exported graph with eager on the same real input."""

    verdict: str
    """passed, failed, vacuous (outputs so constant that it could not fail)."""
    reason: str = ""
    shapes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The exported ONNX graph."""

    path: str
    """Relative to the run folder; empty when no file was left."""
    num_bytes: int | None = None
    opset: int | None = None
    exporter: str = ""
    num_nodes: int | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    """Operator -> number of nodes, most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model at one size, device, dtype and batch, through every backend."""

    id: str
    """`model-size-device-dtype-bBATCH`."""
    model: str
    size: str
    device: str
    dtype: str
    batch: int
    lanes: tuple[Lane, ...]
    speedups: tuple[Speedup, ...] = ()
    parameters: int | None = None
    parameter_bytes: int | None = None
    macs: int | None = None
    graph: Graph | None = None
    parity: Parity | None = None
    shared: tuple[Step, ...] = ()
    """Steps taken once per model and size under another cell: export, size."""

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
    unfinished: tuple[Step, ...]
    """Every step that did not pass: failed ones first, then declared gaps, then what was not reached."""
    excluded: tuple[tuple[str, str], ...]
    """(what, reason) that was left out before the run began."""
    problems: tuple[str, ...]
    """What is missing or damaged in the run folder itself."""
    totals: Totals
    schema: int = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-able data, without the path of the machine it was built on."""
        return {name: value for name, value in asdict(self).items() if name != "location"}
