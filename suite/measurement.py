"""Measurement and Artifact: data produced by a step in addition to its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from diagnostics.codec import decode, decode_as


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelReadings:
    """Times of the fixed workload run between rounds, in seconds."""

    median: float
    mad: float
    """Median absolute deviation."""
    num: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementFacts:
    """Conditions of a measurement; a field that does not apply to its metric is None or empty."""

    available_cores: int | None = None
    """Cores on which the scheduler may run the process."""
    quota_cores: float | None = None
    """CPU time limit of the control group in cores; None without a limit."""
    load_average: float | None = None
    cpu_pressure: float | None = None
    """Share (0..1) of the last ten seconds in which some task waited for a CPU."""
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables that affect speed or memory."""
    threads: int | None = None
    """Intra-op threads of the measured work."""
    torch_threads: int | None = None
    emulated: str = ""
    """What the CPU has no instructions for, see `RunResult.emulated`."""
    float32_matmul_precision: str = ""
    cudnn_benchmark: bool | None = None
    deterministic_algorithms: bool | None = None

    plan: str = ""
    """A row of `bench.plan.PLANS`."""
    stopped_because: str = ""
    """interval (narrow enough) or time_cap; empty if nothing was sampled in rounds."""
    warmup_ended_because: str = ""
    """flat or cap."""
    num_rounds: int | None = None
    void_rounds: int | None = None
    """Disturbed rounds, kept or not."""
    void_reasons: dict[str, int] = field(default_factory=dict)
    """Reason -> number of rounds disturbed by it."""
    are_voids_kept: bool = False
    """Whether all rounds count because too many were disturbed."""
    round_seconds: float | None = None
    """Median duration of a round."""
    target_round_seconds: float | None = None
    overhead_seconds: float | None = None
    """Cost of reading the clock around a round."""
    sentinel: SentinelReadings | None = None
    wait_share: float | None = None
    """Share (0..1) of the measured time that the most delayed thread spent in the run queue."""
    involuntary_switches: int | None = None
    major_faults: int | None = None
    throttled_periods: int | None = None
    gpu_throttle: tuple[str, ...] = ()
    """Reasons for lowered GPU clocks."""

    base_bytes: int | None = None
    """Resident memory before the first call."""
    iterations: int | None = None
    swap_bytes: int | None = None
    kept_bytes: int | None = None
    """Tensor bytes still allocated after the call."""
    total_bytes: int | None = None
    """Tensor bytes allocated in total."""
    num_allocations: int | None = None
    num_alloc_retries: int | None = None
    num_ooms: int | None = None
    process_bytes: int | None = None
    """Memory of the process as counted by the driver."""
    of: str = ""
    """Source of the live bytes: CUDA allocator or resident memory."""

    modules: tuple[str, ...] = ()
    """Libraries whose import was timed."""
    num_workers: int | None = None
    """Worker processes of the data loader."""
    pinned: bool | None = None
    batch: int | None = None

    prompt: int | None = None
    """Tokens of the prompt, for generation."""
    depth: int | None = None
    """Tokens in the cache before the prompt."""
    mode: str = ""
    """Kind of cache or format of the weights, for generation; empty = the backend's first."""


NO_FACTS: Final = MeasurementFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Samples of one metric: raw data, nothing derived."""

    metric: str
    """A row of `bench.metrics.METRICS`, e.g. `latency`."""
    unit: str
    """s, B, 1 (a count) ..."""
    samples: tuple[float, ...]
    """One per round, or a single value for a deterministic metric."""
    warmup: tuple[float, ...] = ()
    """Samples of the warm-up, stored but never used."""
    iterations_per_sample: int = 1
    """Inner repetitions by which each sample is already divided."""
    facts: MeasurementFacts = NO_FACTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a step wrote to the run folder."""

    kind: str
    """onnx, log ..."""
    path: str
    """Path relative to the run folder."""
    num_bytes: int


def measurement_from(data: Mapping[str, Any], problems: list[str] | None = None) -> Measurement:
    """Decode a measurement from JSON data; with `problems`, invalid facts are dropped and named there."""
    facts = data.get("facts")
    if not facts:
        return decode_as(Measurement, {**data, "facts": NO_FACTS})
    return decode_as(Measurement, {**data, "facts": decode(MeasurementFacts, facts, problems)})
