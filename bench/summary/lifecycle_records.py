"""Life: the results of one model in a run, stage by stage; and the known-answer cases. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.paired_ratio import verdict_of
from bench.summary.elements import Graph, Quantity, Step
from suite.axes import REFERENCE, VARIANTS
from suite.claims import Claim

MASKED = "masked"
"""Control arm of pruning, which is not a variant: weights set to zero and none removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The quality metric of a model's task."""

    task: str
    name: str
    unit: str
    """% (percentage points), or 1 for a plain number."""
    direction: str
    """Which is better: higher or lower."""
    change_unit: str
    """Unit of gains and drops: points, or % if the metric is relative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a life: its outcome and results."""

    step: Step
    claims: tuple[Claim, ...] = ()
    metric: Mapping[str, float] = field(default_factory=dict)
    """Moment (untrained, trained, recovered ...) -> quality metric, as written by the stage."""
    before: float | None = None
    """Quality metrics at the stage's baseline and at its end."""
    after: float | None = None
    gain: float | None = None
    """Improvement of the metric; negative if it is worse."""
    is_reused: bool = False
    """Whether it was found in the store, made by an earlier run with the same ingredients."""

    @property
    def num_broken(self) -> int:
        """Number of claims that do not hold."""
        return sum(not claim.holds for claim in self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Losses by optimizer step, averaged over equal stretches if there are many."""

    steps: tuple[float, ...]
    losses: tuple[float, ...]
    """NaN or infinite where the loss was."""
    num_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """Problem of a training, and its cure."""

    code: str
    summary: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The brief training on the model's own task."""

    curve: Curve | None = None
    validation: tuple[tuple[float, float], ...] = ()
    """(step, loss) on the validation split."""
    untrained: float | None = None
    trivial: float | None = None
    """Metric of the task's trivial baseline."""
    trained: float | None = None
    steps: int | None = None
    batch: int | None = None
    micro_batch: int | None = None
    precision: str = ""
    data: str = ""
    num_test_samples: int | None = None
    seconds_per_step: float | None = None
    samples_per_second: float | None = None
    waiting: float | None = None
    """Share of the time spent waiting for data, 0 to 1."""
    memory: tuple[Quantity, ...] = ()
    stopped: str = ""
    """Reason why it ended early."""
    events: tuple[str, ...] = ()
    findings: tuple[Ailment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """One fine-tuning strategy: the quality metric on the second task, and the loss on the first."""

    strategy: str
    before: float | None = None
    scratch: float | None = None
    """Metric of a copy from random weights after the same number of steps."""
    after: float | None = None
    gain: float | None = None
    """Gain over training from scratch."""
    forgotten: float | None = None
    """Loss of the first task's metric."""
    trainable: int | None = None
    """Number of trained weights."""
    steps: int | None = None
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Seconds of one forward pass: the median with its order-statistic interval."""

    p50: float
    low: float | None
    high: float | None
    num_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Wall-clock speedup over another state, by default over the trained model in eager PyTorch."""

    value: float
    low: float | None
    high: float | None
    is_paired: bool
    """Whether both were measured in turns; otherwise one after the other, with the worst case of both intervals, or
    chained over a third state.
    """

    @property
    def is_known(self) -> bool:
        """Whether it has an interval: a ratio without one is no headline."""
        return self.low is not None and self.high is not None

    @property
    def verdict(self) -> str:
        """faster, slower, same or few: see `bench.paired_ratio.verdict_of`."""
        return verdict_of(self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Quality, size and speed of a model in one state on one backend."""

    name: str
    """Row of `suite.axes.VARIANTS`, or `masked`."""
    backend: str
    cell: str
    """Cell whose stage measured it."""
    outcome: str
    """Outcome of that stage."""
    metric: float | None = None
    drop: float | None = None
    """Loss of the metric compared to the trained model."""
    relative_error: float | None = None
    """Of a model without a task: norm of the difference to float32 over the norm of float32's outputs."""
    agreement: float | None = None
    """Of a model without a task: share of the rows whose largest element is at the same place as float32's."""
    parameters: int | None = None
    num_bytes: int | None = None
    """Bytes of weights and buffers in memory; for a graph, of the file."""
    macs: int | None = None
    macs_ratio: float | None = None
    """MACs of the trained model over its own."""
    latency: Clock | None = None
    is_other_batch: bool = False
    """Whether it was timed on another batch than the trained model, so that the latencies are not comparable; the ratio
    holds.
    """
    ratio: Ratio | None = None
    like_for_like: Ratio | None = None
    """Of a quantized state: its ratio to the float state that it was made from, on the same backend."""
    graph: Graph | None = None
    is_best: bool = False
    """Whether it is Pareto-optimal: no other state is both faster and better."""

    @property
    def is_comparable(self) -> bool:
        """Whether its quality and its speed are known: without them it neither keeps a limit nor misses it."""
        return self.drop is not None and self.ratio is not None and self.ratio.is_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """What 8 bits of one layer alone cost."""

    key: str
    """Node, as the record's `excluded` takes it."""
    operator: str = ""
    scope: str = ""
    place: int = 0
    """Among the layers, in the order of the graph."""
    error: float | None = None
    """Relative error of the outputs; None for no number."""
    drop: float | None = None
    share: float | None = None
    """Of the float graph's time."""
    group: int | None = None
    """Group of neighbours that were judged together."""
    is_excluded: bool = False
    """Whether it was left in float for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """How a quantized graph that lost too much was brought within its limit, or not."""

    limit: float
    before: float | None
    after: float | None
    kept: str
    """The way of quantizing that was kept."""
    ways: tuple[tuple[str, float | None, str], ...] = ()
    """(way, loss on held-out samples, why it could not be made) in the order of trial."""
    num_excluded: int = 0
    num_layers: int = 0
    num_quantized: tuple[int, int] = (0, 0)
    num_conversions: tuple[int, int] = (0, 0)
    speed: tuple[float, float] | None = None
    """Times the float graph's speed: of the plain graph and of the one that was kept."""
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """What was quantized, and how."""

    variant: str
    lane: str
    method: str = ""
    types: str = ""
    num_quantized: int | None = None
    num_float: int | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    """Operator -> number that are quantized, most frequent first."""
    layers: tuple[Harm, ...] = ()
    """Layers by what their 8 bits cost, the worst first; empty if that was not measured."""
    layers_by: str = ""
    """metric or error: what they are ranked by."""
    num_layer_samples: int = 0
    """Held-out samples on which that was measured."""
    num_layers_left: int = 0
    """Layers that were not reached in time."""
    mended: Mended | None = None
    """None if the plain graph is within its limit."""
    choice: str = ""
    """quantized, float or tie: which is faster on the same runtime, by turns; empty if they do not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Training by several processes compared to the same training by one."""

    strategy: str
    processes: int | None = None
    transport: str = ""
    """gloo, nccl."""
    efficiency: float | None = None
    """Speed-up over the number of processes; 1 is perfect."""
    curve: Curve | None = None
    alone: Curve | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One model at one size on one device in one dtype, through all stages."""

    id: str
    """`model-size-device-dtype-bBATCH-life`."""
    model: str
    size: str
    device: str
    dtype: str
    batch: int
    quality: Quality | None
    """None for a task that this version does not know."""
    stages: tuple[Stage, ...]
    """Stages in order, then by variant, including planned ones that were not reached."""
    states: tuple[State, ...] = ()
    training: Training | None = None
    recovery: Curve | None = None
    """Losses of the short training after pruning."""
    pruned_before_recovery: float | None = None
    """The metric right after pruning."""
    tunings: tuple[Tuning, ...] = ()
    quantized: tuple[Quantized, ...] = ()
    parallel: tuple[Parallel, ...] = ()

    def stage(self, step: str, variant: str) -> Stage | None:
        """Return the stage that makes that variant, or exports it; None if it is not part of this life."""
        found = (s for s in self.stages if (s.step.step, s.step.variant) == (step, variant))
        return next(found, None)

    def state(self, name: str) -> State | None:
        """Return the state of that name on its default backend, else on any; None if there is none."""
        backend = VARIANTS[name].backend if name in VARIANTS else REFERENCE
        states = [state for state in self.states if state.name == name]
        return next((s for s in states if s.backend == backend), next(iter(states), None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """One known-answer case on one device in one dtype."""

    case: str
    meaning: str
    device: str
    dtype: str
    step: Step
    num_answers: int = 0
    """Number of answers that were compared with the known ones."""
    largest_error: float | None = None
    """Largest error relative to its bound, over the inexact answers; above 1 it is wrong."""
