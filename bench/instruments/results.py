"""Results of the instruments that are no steps of a cell; those of steps are in `suite.results`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suite.results.measuring import PairedArm, SearchedArm
from suite.results.quantize import Fidelity
from suite.results.step_result import StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The turns of one arm in one block, in order."""

    seconds: tuple[float, ...]
    """Seconds per call."""
    sentinels: tuple[float, ...]
    """The slower of the sentinel's two readings around the turn, in seconds."""
    reasons: tuple[tuple[str, ...], ...]
    """What disturbed the turn; empty = nothing."""
    iterations: int = 1
    """Calls per part of a turn."""
    parts_per_turn: int = 1
    warmup_ended_because: str = ""
    """flat or cap."""
    settle_seconds: float = 0.0
    """Seconds until the thread pools slept after the warm-up."""
    target_seconds: float = 0.0
    """Shortest duration of a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsResult(StepResult):
    """The result of `bench.instruments.turns`."""

    turns: Turns | None = None
    """None if they could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingResult(StepResult):
    """The result of `bench.instruments.sitting`."""

    arms: tuple[PairedArm, ...] = ()
    """Those that lasted to the end, in the order of the options."""
    lost: dict[str, str] = field(default_factory=dict)
    """Cell whose arm failed -> its error."""
    stopped_because: str = ""
    """decided or time_cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFactsResult(StepResult):
    """The result of `bench.instruments.static_facts`; the values are in the measurements."""

    absent: dict[str, str] = field(default_factory=dict)
    """Metric that cannot be measured here -> reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileResult(StepResult):
    """The result of `bench.instruments.profile`."""

    operators: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Operator -> (own seconds, calls) per forward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionsResult(StepResult):
    """The result of `bench.instruments.instructions`."""

    counts: tuple[float, ...] = ()
    """Instructions per forward pass, one value per counted stretch."""
    passes: int = 1
    """Passes of a stretch."""
    functions: dict[str, float] = field(default_factory=dict)
    """Function -> its own instructions per pass, largest first."""
    operators: dict[str, float] = field(default_factory=dict)
    """Operator of PyTorch or kernel of ONNX Runtime -> instructions per pass in it and below it, largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Whether two arms gave the same outputs."""

    verdict: str
    """passed, failed or other; see bench.instruments.agreement."""
    max_abs: float | None = None
    """Largest absolute difference; None if it cannot be computed."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementResult(StepResult):
    """The result of `bench.instruments.agreement`."""

    pairs: dict[str, Agreement] = field(default_factory=dict)
    """Cell id -> comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpecsResult(StepResult):
    """The result of `bench.instruments.model_specs`."""

    specs: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """Model -> its record as data (suite.spec_codec); None if the arm does not have it."""
    python: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    """Package -> version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPairResult(StepResult):
    """The result of `bench.instruments.graph_pair`."""

    lines: tuple[str, ...] = ()
    """The differences, one line each, most important first."""
    is_empty: bool = False
    """True if the graphs are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RooflineResult(StepResult):
    """The result of `bench.instruments.roofline`: peak rates of one device."""

    device: str
    threads: int = 0
    bandwidth: float = 0.0
    """Bytes per second, read plus written."""
    matmul: dict[str, float] = field(default_factory=dict)
    """Dtype -> FLOP/s, two per multiply-accumulate."""
    no_kernel: dict[str, str] = field(default_factory=dict)
    """Dtype without a kernel -> PyTorch's error."""
    float32_precision: str = ""
    """highest, high or medium: see torch.set_float32_matmul_precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityResult(StepResult):
    """The result of `bench.instruments.quality`: what one way to run a model costs in quality and in bytes."""

    metric: float | None = None
    """The task's metric on its test samples, in its unit."""
    num_samples: int = 0
    """Test samples."""
    fidelity: Fidelity | None = None
    """Agreement with float32, where the metric is not asked for."""
    num_bytes: int | None = None
    """Bytes of what is shipped: the graph's files, or weights and buffers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult(StepResult):
    """The result of `bench.instruments.search`; of a search that goes on, what it has so far."""

    arms: tuple[SearchedArm, ...] = ()
    lost: dict[str, str] = field(default_factory=dict)
    """Label of an arm that failed -> its error."""
    passes: int = 0
    rounds: int = 0
    stopped_because: str = ""
    """decided (more turns would change no verdict), time_cap, passes; empty = it was broken off."""
    load_seconds: float = 0.0
    turn_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleResult(StepResult):
    """The result of `bench.instruments.bundle`: how the files in the folder are run."""

    imports: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    """Distribution -> version."""
