"""What reports are made of: timings, quantities, endings of steps, graphs; plain data that renderers show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suite.axes import ORIGINAL


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
    """Id of the row that shows the step; for a stage, of the life; `foundations` for a known-answer case."""
    model: str
    size: str
    backend: str
    step: str
    variant: str = ORIGINAL
    """The state that the step is about; for a stage, the one that it makes."""
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
