"""Options that single instruments take besides those of every job (suite.worker.job_options); see `Job.read`."""

from __future__ import annotations

from dataclasses import dataclass

from suite.axes import CPU
from suite.cell import Cell
from suite.worker.job_options import JobOptions

LATENCY, TRAINING, DATALOADER, GENERATE = "latency", "training", "dataloader", "generate"
"""Steps whose time is taken in turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOptions:
    """Options of `bench.instruments.turns`."""

    meeting: str
    """Path of the socket where the two arms meet."""
    begins: bool
    """True if this arm has the first turn, and ends the block."""
    num_turns: int
    """Undisturbed turns wanted."""
    block_seconds: float
    """Time cap of the turns."""
    step: str = LATENCY
    """Step whose time is taken, see `bench.instruments.turn_subjects`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilationOptions:
    """Options of `bench.instruments.compilation`."""

    cache: str
    """Folder of Inductor's cache."""
    is_kept: bool = False
    """Whether another process has filled it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFactsOptions:
    """Options of `bench.instruments.static_facts`."""

    outputs: str = ""
    """File that takes the output tensors as float32 (.npz), for the comparison of two arms; empty = none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPair:
    """Two files of outputs to compare."""

    key: str
    base: str
    head: str
    rtol: float
    atol: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementOptions:
    """Options of `bench.instruments.agreement`."""

    pairs: tuple[OutputPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpecsOptions:
    """Options of `bench.instruments.model_specs`."""

    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileOptions:
    """Options of `bench.instruments.profile`."""

    snapshot: str = ""
    """File that takes a CUDA memory snapshot of one pass; empty = none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionOptions:
    """Options of `bench.instruments.instructions`."""

    num_counts: int = 5
    """Stretches of passes that are counted in the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPairOptions:
    """Options of `bench.instruments.graph_pair`."""

    before: str
    after: str
    """Paths of the two ONNX graphs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RooflineOptions:
    """Options of `bench.instruments.roofline`."""

    device: str = CPU
    """cpu, cuda or cuda:N."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingArm:
    """One arm of a sitting."""

    cell: Cell
    options: JobOptions
    """Those of a job on that cell: its graph."""
    over: tuple[int, ...] = ()
    """Numbers of the arms that it is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingOptions:
    """Options of `bench.instruments.sitting`."""

    arms: tuple[SittingArm, ...]
    seconds: float
    """Time cap of the turns."""
    precision: float
    """Half-width of a ratio's interval, as a share, to which a decided ratio is measured while that takes no more than
    a third of the cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """Options of `bench.instruments.generate`."""

    prompts: tuple[int, ...]
    """Lengths of prompts, the shortest first."""
    depths: tuple[int, ...]
    """Tokens in the cache before the prompt, fewest first."""
    num_new: int
    """Tokens generated per request, the first one included."""
    num_agreeing: int
    """Tokens per prompt that are compared with full recomputation."""
    is_short: bool = False
    """Whether this is a glance beside other steps: two prompts agree, and a slow prefill is taken fewer times."""
    has_own_prompts: bool = False
    """Whether the user chose the lengths: otherwise they are shortened for a model with few positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityOptions:
    """Options of `bench.instruments.quality`."""

    reference: str
    """File with the answers of the float32 model on the same inputs."""
    is_reference: bool = False
    """Whether this job writes that file."""
    has_metric: bool = False
    """Whether the task's metric is computed on its test samples; else the agreement with the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchArm:
    """One arm of a search."""

    label: str
    cell: Cell
    options: JobOptions
    """Those of a job on that cell: its graph, its threads."""
    is_anchor: bool = False
    """Whether it stays to the end: eager PyTorch in float32, with which the others are compared."""
    is_contender: bool = True
    """Whether it could be chosen; one that breaks a limit is timed in one round, for the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Options of `bench.instruments.search`."""

    arms: tuple[SearchArm, ...]
    seconds: float
    """Time cap of all turns."""
    load_seconds: float = 300.0
    """Time cap of loading one arm: a compilation is part of it."""
    max_seconds: float | None = None
    """Median seconds of a call above which an arm cannot be chosen."""
    most_turns: int = 32
    """Turns that the fastest arms take before they are a tie."""
    halves: bool = True
    """Whether arms that are slower leave; False = all take every turn."""
    passes: int = 0
    """Passes after which it ends; 0 = when the choice is clear, or `seconds` are used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleOptions:
    """Options of `bench.instruments.bundle`."""

    folder: str
    """Folder that takes the files; it exists."""
