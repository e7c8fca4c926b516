"""What the results of all steps have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suite.claims import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Base of every step's result: what the step found out besides its measurements and files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownResult(StepResult):
    """The result of a step that this version does not know, kept as it came."""

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
    """The entry of the artifact store that a stage made or found."""

    key: str
    reused: bool | None = None
    """Whether the entry was there already; None where the step only reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult(DeviceResult):
    """The result of a stage that changes a model or proves something of it."""

    claims: tuple[Claim, ...] = ()
    """What has to hold; a claim that does not hold fails the step."""
    state: KeptState | None = None
    num_test_samples: int | None = None
    """Test samples that the quality metric was computed on."""

    @property
    def broken_claims(self) -> tuple[Claim, ...]:
        """The claims that do not hold."""
        return tuple(claim for claim in self.claims if not claim.holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedRatio:
    """How many times faster one arm is than the reference arm, with a 95% interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesLeft:
    """Bytes of a model before and after it was quantized."""

    before: int
    after: int
    left: float
    """after / before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """The data set that a step's samples came from."""

    name: str
    """A row of `suite.data.sources`, e.g. `digits`."""
    split: str = ""
    """train, validation or test; empty where a step reads several."""
    preprocessing: str = ""
    """One line: sizes, normalization, tokenization."""
    length: int | None = None
    """Tokens, or samples of a waveform, per sample; None where there is no such length."""
    tokenizer: str = ""
    classes_without_output: int = 0
    """Number of classes of the data set that the model has no output for."""
