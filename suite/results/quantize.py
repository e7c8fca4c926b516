"""Result of the stage `quantize`."""

from __future__ import annotations

from dataclasses import dataclass, field

from suite.results.step_result import BytesLeft, SpeedRatio, StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeQuality:
    """The task's metric around a quantization."""

    parent: float | None = None
    """Of the state that was quantized, when it was made."""
    float32: float | None = None
    """Of the same state, run by the quantized model's backend in float."""
    quantized: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EightBitTypes:
    """How activations and weights become integers."""

    name: str
    activation: str
    """QUInt8 or QInt8: a member of onnxruntime.quantization.QuantType."""
    weight: str
    reduce_range: bool = False
    """Weights take 7 bits: two products of 8 bits and 7 fit the 16-bit sums of AVX2 and AVX-512 without VNNI."""
    reason: str
    """When these are the right ones, and who says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeTrial:
    """The measurement that chose the types, where the CPU's flags do not tell."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Name of the types -> median seconds of a forward pass."""
    rounds: int = 0
    threads: int = 0
    chosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What ONNX Runtime's preprocessing did to the graph before it was quantized."""

    symbolic_shapes: bool = True
    symbolic_failure: str = ""
    optimized: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSize:
    """How much was seen while ranges were read."""

    num_feeds: int = 0
    num_samples: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCount:
    """What is quantized in a graph or program."""

    quantized: dict[str, int] = field(default_factory=dict)
    """Operator -> how many with 8-bit data and weights."""
    num_quantized: int = 0
    """Their sum without embeddings, which do no arithmetic."""
    floating: dict[str, int] = field(default_factory=dict)
    """Operator -> how many multiply by a stored weight in float."""
    without_weights: dict[str, int] = field(default_factory=dict)
    """Operator -> how many multiply two activations."""
    weight_bytes: dict[str, int] = field(default_factory=dict)
    """Type -> bytes of the stored tensors."""
    num_bytes: int = 0
    """Of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCount:
    """What the runtime runs after its own optimizations, by kernel."""

    integer: dict[str, int] = field(default_factory=dict)
    """Kernels that multiply in 8 bits."""
    num_integer: int = 0
    floating: dict[str, int] = field(default_factory=dict)
    """Kernels that multiply in float."""
    carried: dict[str, int] = field(default_factory=dict)
    """Kernels that pass 8-bit values on (QLinearAdd ...)."""
    conversions: dict[str, int] = field(default_factory=dict)
    """Kernels between the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationReport:
    """What a quantization recipe did."""

    method: str = ""
    """static, dynamic, pt2e, bfloat16 or torchao."""
    num_quantized: int | None = None
    """Operators, or layers, that compute in lower precision."""
    bytes: BytesLeft | None = None
    types: EightBitTypes | None = None
    measured_types: TypeTrial | None = None
    prepared: Preparation | None = None
    excluded: tuple[str, ...] = ()
    """Nodes that stayed in float because the record excludes them."""
    embeddings: tuple[str, ...] = ()
    """Embedding tables that were quantized."""
    rewritten: tuple[str, ...] = ()
    """Transposed convolutions that became plain ones."""
    refused: dict[str, str] = field(default_factory=dict)
    """Operator that stays in float -> why."""
    calibration: CalibrationSize | None = None
    num_calibration: int | None = None
    """PT2E: batches that ranges were read on."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Phase of the recipe -> seconds."""
    count: OperatorCount | None = None
    kernels: KernelCount | None = None
    num_kernels: int | None = None
    compile_seconds: float | None = None
    config: str = ""
    """torchao: a row of `suite.quantization.torchao.CONFIGS`."""
    left: dict[str, str] = field(default_factory=dict)
    """torchao: Linear layer that stayed -> why."""
    others: tuple[str, ...] = ()
    """torchao: modules with a matrix that it does not look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeResult(StageResult):
    """A state that was quantized and compared with what it was made from."""

    lane: str = ""
    """The variant."""
    report: QuantizationReport | None = None
    metric: QuantizeQuality | None = None
    drop: float | None = None
    """How much worse the metric is; negative when it is better."""
    latency: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Arm (float, quantized, and others) -> seconds of a forward pass, taken in turns."""
    speedup: dict[str, SpeedRatio] = field(default_factory=dict)
