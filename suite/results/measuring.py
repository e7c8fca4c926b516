"""Results of the steps that measure inference or training."""

from __future__ import annotations

from dataclasses import dataclass, field

from suite.results.step_result import DeviceResult, StageResult, StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShare:
    """A node of a graph that another execution provider ran than the one that was asked for."""

    name: str
    operator: str
    provider: str
    share: float
    """Of the time of all nodes (0..1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(DeviceResult):
    """A model that was run: its setup, and the input of one call."""

    threads: int | None = None
    """Intra-op threads."""
    weights: str = ""
    """random, pretrained, or the folder from which the weights were loaded."""
    provider: str = ""
    """ONNX Runtime's execution provider."""
    onnxruntime: str = ""
    """ONNX Runtime's version."""
    assigned: dict[str, int] = field(default_factory=dict)
    """Execution provider -> number of nodes of the optimized graph that it runs; empty if the release cannot tell."""
    library: str = ""
    """Another library that runs the graph, with its version: `OpenVINO 2026.4.1`."""
    precision: str = ""
    """What that library says it computes in, after it has opened the graph."""
    precisions: dict[str, int] = field(default_factory=dict)
    """Precision -> number of the opened graph's products (convolutions, matrix products, recurrent layers) in it."""
    package_bytes: int | None = None
    """Bytes of the compiled package."""
    emulated: str = ""
    """What of the dtype the CPU has no instructions for, so that it is computed by detours; empty = nothing."""
    num_samples: int | None = None
    """Samples per call."""
    num_tokens: int | None = None
    """Non-padding tokens per call, if throughput counts tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyResult(RunResult):
    """Warm latency; the times are in the measurements."""

    plan: str = ""
    """A row of `bench.plan.PLANS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedArm:
    """The turns of one cell in a sitting: several cells measured alternately, each in a process of its own."""

    cell: str
    """The cell's id."""
    seconds: tuple[float, ...] = ()
    """Seconds per call, one value per turn; the nth turns of all arms of a sitting are neighbours."""
    void: tuple[int, ...] = ()
    """Indices of disturbed turns."""
    starved: tuple[int, ...] = ()
    """Those in which a thread had so little of a core that the turn never counts."""
    iterations: int = 1
    """Calls per part of a turn."""
    warmup_ended_because: str = ""
    """flat or cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedArm:
    """An arm of a search, and how long it stayed."""

    label: str
    turns: PairedArm
    """Its turns; the first one is of pass `first_pass`."""
    first_pass: int = 0
    threads: int = 1
    """Intra-op threads; 0 = it runs on an accelerator."""
    num_samples: int = 1
    """Samples per call."""
    left_because: str = ""
    """slower, limit or cost; empty = it stayed to the end."""
    left_after: int = 0
    """Round after which it left, counted from 1; 0 = it stayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsResult(StepResult):
    """A cell measured in turns with the cells that it is compared with; ratios are derived from these turns."""

    sitting: str = ""
    """Cells with one sitting were measured in turns with each other."""
    own: PairedArm | None = None
    references: tuple[PairedArm, ...] = ()
    """What the cell is compared with: see `bench.pairs.references`."""
    stopped_because: str = ""
    """decided (more pairs would change no verdict) or time_cap."""
    plan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryResult(RunResult):
    """Peak and live memory; the bytes are in the measurements."""

    plan: str = ""
    absent: dict[str, str] = field(default_factory=dict)
    """Metric that is unavailable here -> reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStartResult(RunResult):
    """Cold-start cost; the seconds are in the measurements."""

    workers: int | None = None
    """Number of fresh processes, with one observation each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityResult(StageResult):
    """Whether a cell answers like eager float32; see `bench.instruments.fidelity`."""

    kind: str = ""
    """Type that the outputs are judged for: the cell's dtype, or int8 for a quantized state."""
    judge: str = ""
    """What the outputs are held against, as in `ShapeParity.judge`."""
    relative_error: float | None = None
    """Root mean square of the difference from eager float32, over that of eager's outputs."""
    times_eager: float | None = None
    """In float32: the error against float64 over eager's own."""
    fallen_back: tuple[NodeShare, ...] = ()
    """Nodes that another execution provider ran than the one that was asked for, the longest first."""
    argmax_agreement: float | None = None
    """Share (0..1) of the rows of the first output whose largest element is at eager's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphBreak:
    """A place where torch.compile leaves its graph for Python."""

    place: str
    """File and line: `torchvision/ops/boxes.py:41`."""
    reason: str
    detail: str = ""
    """What torch says further of this very line, in one sentence."""
    is_skipped: bool = False
    """Whether it could not go on after it either, so that the whole function runs in Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recompilation:
    """A function that was compiled again for the same input."""

    place: str
    """File, line and function."""
    reason: str
    """The first guard that failed."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilationResult(RunResult):
    """What torch.compile made of the model; the seconds are in the measurements."""

    num_graphs: int | None = None
    """Graphs that were compiled; one if nothing breaks it."""
    breaks: tuple[GraphBreak, ...] = ()
    recompilations: tuple[Recompilation, ...] = ()
    given_up: tuple[str, ...] = ()
    """Places, as of a recompilation, that reached torch's limit of compiled versions and run in Python since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeResult(StepResult):
    """Size of a module."""

    num_parameters: int | None = None
    num_trainable: int | None = None
    num_parameter_bytes: int | None = None
    num_buffers: int | None = None
    """Number of elements in buffers."""
    num_buffer_bytes: int | None = None
    published_parameters: int | None = None
    num_samples: int | None = None
    """Samples of the batch on which MACs were counted."""
    num_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStepResult(DeviceResult):
    """One optimizer step, measured warm."""

    num_samples: int | None = None
    """Samples per step."""
    num_tokens: int | None = None
    optimizer: str = ""
    precision: str = ""
    micro_batch: int | None = None
    events: tuple[str, ...] = ()
    plan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLoaderResult(StepResult):
    """Throughput of data loading; the rates are in the measurements."""

    batch: int | None = None
    pinned: bool | None = None
    """Whether batches are in pinned memory."""
