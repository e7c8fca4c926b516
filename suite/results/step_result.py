"""Types shared by the results of all steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suite.claims import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Base of every step's result: its findings besides measurements and files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownResult(StepResult):
    """Result of a step that this version does not know, kept unchanged."""

    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceResult(StepResult):
    """A result that depends on the device; the fields are empty on a CPU."""

    gpu: str = ""
    """The GPU's name."""
    cudnn_benchmark: bool | None = None
    float32_matmul_precision: str = ""
    """highest, high or medium: see torch.set_float32_matmul_precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptState:
    """Entry of the artifact store that a stage made or reused."""

    key: str
    reused: bool | None = None
    """Whether the entry existed already; None if the step only reads it."""
    changed: tuple[str, ...] = ()
    """If it was made again: what differs from the newest kept one, e.g. files, the record, versions of libraries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult(DeviceResult):
    """Result of a stage that changes a model or verifies a property of it."""

    claims: tuple[Claim, ...] = ()
    """Claims that must hold; a broken claim fails the step."""
    state: KeptState | None = None
    num_test_samples: int | None = None
    """Number of test samples for the quality metric."""

    @property
    def broken_claims(self) -> tuple[Claim, ...]:
        """Claims that do not hold."""
        return tuple(claim for claim in self.claims if not claim.holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedRatio:
    """Speedup of one arm over the reference arm, with a 95% interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesLeft:
    """Bytes of a model before and after quantization."""

    before: int
    after: int
    left: float
    """after / before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Data set of a step's samples."""

    name: str
    """Row of `suite.data.sources`, e.g. `digits`."""
    split: str = ""
    """train, validation or test; empty if a step reads several."""
    preprocessing: str = ""
    """One-line description: sizes, normalization, tokenization."""
    length: int | None = None
    """Tokens or waveform samples per sample; None if not applicable."""
    tokenizer: str = ""
    classes_without_output: int = 0
    """Number of classes of the data set for which the model has no output."""
