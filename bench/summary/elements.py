"""Elements of reports: timings, quantities, outcomes of steps, graphs; plain data for renderers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suite.axes import ORIGINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Reason to distrust one number."""

    code: str
    summary: str
    advice: str = ""
    metric: str = ""
    questions: str = ""
    """The figure that it puts in question, by its heading."""
    is_of_run: bool = False
    """Whether it is about the machine; the report says it once, in `cautions`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Warm latency of one cell: seconds per iteration."""

    p50: float
    low: float | None
    """Lower end of the order-statistic interval on the median; None if there are too few samples."""
    high: float | None
    confidence: float
    """Nominal coverage of the interval, e.g. 0.95."""
    p90: float | None
    """None if there are too few samples for a reliable 90th percentile."""
    num_samples: int
    iterations_per_sample: int
    throughput: float | None
    """Work per second at the median."""
    throughput_unit: str
    """`samples` or `tokens`."""
    stopped: str = ""
    """Reason why measuring stopped, from the instrument."""
    samples: tuple[float, ...] = ()
    """Samples in the order taken, thinned evenly for drawing."""

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
    """Finding of the doctor about this machine or one failure."""

    level: str
    code: str
    summary: str
    cause: str = ""
    fixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Outcome of one step (latency, memory, ...) of one cell."""

    cell: str
    """The cell's id."""
    row: str
    """Id of the row that shows the step; for a stage, of the life; `foundations` for a known-answer case."""
    model: str
    size: str
    backend: str
    step: str
    variant: str = ORIGINAL
    """State that the step measures; for a stage, the one that it makes."""
    outcome: str
    """Value of `suite.outcome.Outcome`, or `not_reached`: planned and without a record."""
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    kind: str = ""
    """Exception class, signal name, `deadline`, `gap` ..."""
    reason: str = ""
    phase: str = ""
    log_tail: str = ""
    log: str = ""
    """Path of the whole log, relative to the run folder."""
    url: str = ""
    diagnosis: tuple[Finding, ...] = ()
    """The doctor's findings about the failure, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Agreement of the exported graph with eager on the same real input."""

    verdict: str
    """passed, failed, or vacuous (outputs so constant that it could not fail)."""
    reason: str = ""
    shapes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The exported ONNX graph."""

    path: str
    """Path relative to the run folder; empty if there is no file."""
    num_bytes: int | None = None
    opset: int | None = None
    exporter: str = ""
    num_nodes: int | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    """Operator -> number of nodes, most frequent first."""
