"""Report of a run, derived from its records alone; all renderers show this value.

Schema history
  1  first version.
  2  `lives` and `foundations`. `rows` holds the benchmark alone, one row per variant (its id ends with it); the
     stages of a model's life, `build` among them, are in `lives`. Steps name their variant.
  3  ratios are taken in turns: `comparisons` of a lane; a speed-up's `verdict` is faster, slower, same or few; means
     have their interval; `like_for_like` of a state; `cautions` of the run. Later: `ran`, `likeness` and `compiled` of
     a lane, `over_dtype` of a speed-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bench.summary.elements import Doubt, Finding, Graph, Parity, Quantity, Step, Timing
from bench.summary.generation import Generated
from bench.summary.lane_facts import Compiled, Likeness, Ran
from bench.summary.lifecycle_records import Foundation, Life
from bench.summary.roofline_records import Roofline
from bench.summary.verdicts import GateVerdict
from suite.axes import DTYPES, ORIGINAL

SCHEMA: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How fast a cell is against another one that it was measured in turns with."""

    variant: str
    backend: str
    """State and backend of the other."""
    ratio: float
    """Median over neighbouring turns of the other's seconds / its own: above 1, it is faster."""
    low: float
    high: float
    num_pairs: int
    num_void: int
    """Pairs that were disturbed."""
    dtype: str = DTYPES[0]
    """Dtype of the other."""


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
    """Cold-start phases in execution order."""
    comparisons: tuple[Comparison, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    """Metric that this backend cannot provide -> reason."""
    generation: Generated | None = None
    """Text generated token by token; None for a model that generates none, and where it was not measured."""
    ran: Ran | None = None
    """What ran it: another library, its precision, ONNX Runtime's providers; None if there is nothing to say."""
    likeness: Likeness | None = None
    """How far its answers are from eager float32's; None where that was not asked, as of the reference itself."""
    compiled: Compiled | None = None
    """What torch.compile took and made; None where it was not measured."""

    def quantity(self, metric: str) -> float | None:
        """Return the value of that memory or cold-start metric, or None."""
        found = (q.value for q in (*self.memory, *self.coldstart) if q.metric == metric)
        return next(found, None)

    @property
    def has_known_medians(self) -> bool:
        """Whether its median may be compared with another process's: not on a busy machine, and not if turns were
        taken and gave no ratio, for then neither would the medians.
        """
        is_busy = any(d.code == "busy_machine" and d.metric == "latency" for d in self.doubts)
        return not is_busy and not any(
            s.step == "pairs" and s.outcome == "passed" for s in self.steps
        )

    def against(self, variant: str, backend: str) -> Comparison | None:
        """Return the comparison with that state on that backend, or None; of two, that in the lane's own dtype."""
        found = (c for c in self.comparisons if (c.variant, c.backend) == (variant, backend))
        return next(found, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """Speedup of a backend over the reference backend."""

    backend: str
    over: str
    ratio: float
    """Above 1, this backend is faster."""
    low: float | None
    high: float | None
    """95% interval; None if there are too few rounds for one."""
    verdict: str
    """faster, slower, same or few: see `bench.paired_ratio.verdict_of`."""
    num_pairs: int | None = None
    """Pairs of turns that it is taken from; None if the two were measured one after the other."""
    over_dtype: str = DTYPES[0]
    """Dtype of the reference: a graph in fewer bits is held against eager float32, whose weights it has."""

    @property
    def is_known(self) -> bool:
        """Whether it has an interval: a ratio without one is no headline."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Throughput of the data loader with one number of workers."""

    num_workers: int
    rate: float
    """Samples per second, the median over batches."""
    low: float | None
    high: float | None
    is_pinned: bool
    batch: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """Cost of training this row's model."""

    step: Timing | None = None
    """Seconds of one optimizer step on one preloaded batch."""
    num_samples: int | None = None
    """Samples of that batch."""
    memory: tuple[Quantity, ...] = ()
    optimizer: str = ""
    precision: str = ""
    loading: tuple[Loading, ...] = ()
    """By number of workers, fewest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model in one state at one size, device, dtype and batch, on all backends."""

    id: str
    """`model-size-device-dtype-bBATCH`, followed by `-VARIANT` for another state than the original."""
    model: str
    size: str
    device: str
    dtype: str
    batch: int
    length: int = 0
    """Tokens per sample, if requested; 0 = the record's own."""
    variant: str = ORIGINAL
    """Row of `suite.axes.VARIANTS`: the measured state of the model."""
    lanes: tuple[Lane, ...]
    speedups: tuple[Speedup, ...] = ()
    parameters: int | None = None
    parameter_bytes: int | None = None
    macs: int | None = None
    graph: Graph | None = None
    parity: Parity | None = None
    shared: tuple[Step, ...] = ()
    """Steps run once per model and size under another cell: export, size."""
    learning: Learning | None = None

    def lane(self, backend: str) -> Lane | None:
        """Return the lane of that backend, or None."""
        return next((lane for lane in self.lanes if lane.backend == backend), None)

    @property
    def fastest(self) -> str:
        """Backend with the lowest p50 that also clearly differs from eager; empty if undetermined."""
        if not self.speedups:
            return ""
        if all(speedup.verdict == "slower" for speedup in self.speedups):
            return self.speedups[0].over
        faster = [speedup for speedup in self.speedups if speedup.verdict == "faster"]
        if len({speedup.over_dtype for speedup in self.speedups}) > 1:
            # Ratios to eager in two dtypes say nothing of each other.
            medians = {
                s.backend: lane.timing.p50
                for s in faster
                if (lane := self.lane(s.backend)) and lane.timing
            }
            return min(medians, key=lambda name: medians[name], default="")
        return max(faster, key=lambda speedup: speedup.ratio).backend if faster else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Geometric mean of ratios that have an interval."""

    value: float
    low: float
    high: float
    """95% interval of the mean over these ratios, whose errors are independent."""
    num: int
    """Number of ratios."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Totals of the run."""

    num_rows: int
    num_planned: int
    """Number of rows, including those that only unreached planned steps would have made."""
    num_measured: int
    """Number of rows with at least one warm latency."""
    num_cells: int
    num_faster: Mapping[str, int] = field(default_factory=dict)
    """Backend -> number of rows where it is clearly faster than the reference."""
    num_slower: Mapping[str, int] = field(default_factory=dict)
    num_same: Mapping[str, int] = field(default_factory=dict)
    """Too close to tell: no difference that matters."""
    num_few: Mapping[str, int] = field(default_factory=dict)
    """Not known: too few pairs."""
    mean_speedup: Mapping[str, Mean] = field(default_factory=dict)
    """Backend -> geometric mean of its known speed-ups over the reference."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Outcome -> number of steps, `not_reached` included."""
    num_models: int = 0
    """Number of models with a row or a life."""
    num_claims: int = 0
    """Number of claims made by stages, and of those that did not hold."""
    num_broken: int = 0
    mean_state_speedup: Mapping[str, Mean] = field(default_factory=dict)
    """State (pruned, int8 ...) -> geometric mean over the lives of its known wall-clock ratios to the trained model in
    eager.
    """
    mean_like_for_like: Mapping[str, Mean] = field(default_factory=dict)
    """Quantized state -> the same against the float state that it was made from, on the same backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Report of one run."""

    run_id: str
    folder: str
    """Name of the run folder; paths in the report are relative to it."""
    location: str
    """Path of that folder when the report was built; not part of `as_dict`."""
    command: str
    started_at: str
    finished_at: str
    """Empty if the run did not finish."""
    seconds: float | None
    options: Mapping[str, Any]
    machine: tuple[tuple[str, str], ...]
    """(label, value) pairs that a reader needs to interpret the numbers."""
    settings: tuple[tuple[str, str], ...]
    """(label, value) pairs of the run's settings: plan, threads, weights, data."""
    environment: Mapping[str, Any]
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    lives: tuple[Life, ...]
    """Lives of all models that went through stages."""
    foundations: tuple[Foundation, ...]
    """The known-answer cases, by case, device and dtype."""
    unfinished: tuple[Step, ...]
    """Every step that did not pass: failed ones first, then declared gaps, then unreached ones."""
    excluded: tuple[tuple[str, str], ...]
    """(cell, reason) of what was left out before the run began."""
    problems: tuple[str, ...]
    """Missing or damaged items of the run folder itself."""
    totals: Totals
    cautions: tuple[str, ...] = ()
    """What puts the whole run in question, one sentence each: a busy machine, a quota."""
    roofline: Roofline | None = None
    """Roofline of the machine and models; None if its peaks were not measured."""
    gate: GateVerdict | None = None
    """Newest gate over the run's commit; None if there is none."""
    schema: int = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able data, without the path on the machine that built it."""
        return {name: value for name, value in asdict(self).items() if name != "location"}
