"""Life: what became of one model in a run, stage by stage; and what everything rests on. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.summary.elements import Graph, Quantity, Step
from suite.axes import REFERENCE, VARIANTS
from suite.claims import Claim

MASKED = "masked"
"""The control arm of pruning, which is no variant: weights set to zero and nothing removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The quality metric of a model's task."""

    task: str
    name: str
    unit: str
    """% (points of a share), or 1 for a plain number."""
    direction: str
    """higher or lower is better."""
    change_unit: str
    """What gains and drops are told in: points, or % where the metric is relative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a life: how it ended, and what it proved."""

    step: Step
    claims: tuple[Claim, ...] = ()
    metric: Mapping[str, float] = field(default_factory=dict)
    """Moment (untrained, trained, recovered ...) -> quality metric, as the stage wrote them."""
    before: float | None = None
    """The quality metric that the stage has to be held against, and the one that it ended with."""
    after: float | None = None
    gain: float | None = None
    """How much better it is after; negative when it is worse."""
    is_reused: bool = False
    """Found in the store, made by an earlier run with the same ingredients."""

    @property
    def num_broken(self) -> int:
        """Claims that do not hold."""
        return sum(not claim.holds for claim in self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Losses by optimizer step, averaged in equal stretches where there are many."""

    steps: tuple[float, ...]
    losses: tuple[float, ...]
    """NaN or infinite where the loss was."""
    num_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """Something that is wrong with a training, and its cure."""

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
    """The metric of the task's trivial baseline."""
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
    """Why it ended early."""
    events: tuple[str, ...] = ()
    findings: tuple[Ailment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """One fine-tuning strategy: the quality metric on the second task, and what it cost on the first."""

    strategy: str
    before: float | None = None
    scratch: float | None = None
    """A twin from random weights after as many steps."""
    after: float | None = None
    gain: float | None = None
    """How much better than from scratch."""
    forgotten: float | None = None
    """How much worse the first task has become."""
    trainable: int | None = None
    """Weights that were trained."""
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
    """How many times faster than the trained model in eager PyTorch, by the clock on the wall."""

    value: float
    low: float | None
    high: float | None
    is_paired: bool
    """Taken in turns in one process; otherwise across processes, with the worst case of both intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A model in one state on one backend: how good, how large, how fast."""

    name: str
    """A row of `suite.axes.VARIANTS`, or `masked`."""
    backend: str
    cell: str
    """The cell whose stage has measured it."""
    outcome: str
    """How that stage ended."""
    metric: float | None = None
    drop: float | None = None
    """How much worse than trained."""
    parameters: int | None = None
    num_bytes: int | None = None
    """Weights and buffers in memory; for a graph, the file."""
    macs: int | None = None
    macs_ratio: float | None = None
    """MACs of the trained model over its own."""
    latency: Clock | None = None
    is_other_batch: bool = False
    """Timed on another batch than the trained model, so that the latency stands alone; the ratio holds."""
    ratio: Ratio | None = None
    graph: Graph | None = None
    is_best: bool = False
    """On the front: no other state is both faster and better."""


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
    """Operator -> how many are quantized, most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """A training by several processes beside the same one by a single process."""

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
    """One model at one size on one device in one dtype, through every stage."""

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
    """By stage, then by variant; what was planned and not reached is among them."""
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
        """The stage that makes that variant, or exports it; None when it is no part of this life."""
        found = (s for s in self.stages if (s.step.step, s.step.variant) == (step, variant))
        return next(found, None)

    def state(self, name: str) -> State | None:
        """The state of that name on the backend that it is made for, else on any; None when there is none."""
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
    """Answers that were held against what is known."""
    largest_error: float | None = None
    """Of its bound, over all answers that may stray at all; above 1 it is wrong."""
