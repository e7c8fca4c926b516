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
