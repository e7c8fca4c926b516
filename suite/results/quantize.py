"""Result of the stage `quantize`."""

from __future__ import annotations

from dataclasses import dataclass, field

from suite.results.step_result import BytesLeft, SpeedRatio, StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeQuality:
    """Quality metric before and after quantization."""

    parent: float | None = None
    """Metric of the state that was quantized, at the time it was made."""
    float32: float | None = None
    """Metric of the same state, run in float on the quantized model's backend."""
    quantized: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EightBitTypes:
    """Integer types of activations and weights."""

    name: str
    activation: str
    """QUInt8 or QInt8: a member of onnxruntime.quantization.QuantType."""
    weight: str
    reduce_range: bool = False
    """Whether weights use 7 bits: two products of 8 and 7 bits fit the 16-bit sums of AVX2 and of AVX-512 without
    VNNI.
    """
    reason: str
    """When to use these types, and the source of the recommendation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeTrial:
    """Measurement that chose the types if the CPU's flags do not determine them."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Name of the types -> median seconds of a forward pass."""
    rounds: int = 0
    threads: int = 0
    chosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """Changes that ONNX Runtime's preprocessing made to the graph before quantization."""

    symbolic_shapes: bool = True
    symbolic_failure: str = ""
    optimized: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSize:
    """Amount of data used for calibration."""

    num_feeds: int = 0
    num_samples: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCount:
    """Operators of a graph or program, by whether they are quantized."""

    quantized: dict[str, int] = field(default_factory=dict)
    """Operator -> number with 8-bit data and weights."""
    num_quantized: int = 0
    """Sum without embeddings, which do no arithmetic."""
    floating: dict[str, int] = field(default_factory=dict)
    """Operator -> number that multiply by a stored weight in float."""
    without_weights: dict[str, int] = field(default_factory=dict)
    """Operator -> number that multiply two activations."""
    weight_bytes: dict[str, int] = field(default_factory=dict)
    """Type -> bytes of the stored tensors."""
    num_bytes: int = 0
    """Bytes of the file."""
    num_conversions: int = 0
    """Nodes that convert between 8 bits and float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCount:
    """Kernels that the runtime runs after its own optimizations, by type."""

    integer: dict[str, int] = field(default_factory=dict)
    """Kernels that multiply in 8 bits."""
    num_integer: int = 0
    floating: dict[str, int] = field(default_factory=dict)
    """Kernels that multiply in float."""
    carried: dict[str, int] = field(default_factory=dict)
    """Kernels that pass on 8-bit values (QLinearAdd ...)."""
    conversions: dict[str, int] = field(default_factory=dict)
    """Kernels that convert between integer and float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationReport:
    """Result of a quantization recipe."""

    method: str = ""
    """static, dynamic, pt2e, bfloat16 or torchao."""
    num_quantized: int | None = None
    """Number of operators or layers that compute in lower precision."""
    bytes: BytesLeft | None = None
    types: EightBitTypes | None = None
    measured_types: TypeTrial | None = None
    prepared: Preparation | None = None
    excluded: tuple[str, ...] = ()
    """Nodes kept in float because the record excludes them."""
    embeddings: tuple[str, ...] = ()
    """Embedding tables that were quantized."""
    rewritten: tuple[str, ...] = ()
    """Transposed convolutions rewritten as plain ones."""
    refused: dict[str, str] = field(default_factory=dict)
    """Operator kept in float -> reason."""
    calibration: CalibrationSize | None = None
    num_calibration: int | None = None
    """PT2E: number of calibration batches."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Phase of the recipe -> seconds."""
    count: OperatorCount | None = None
    kernels: KernelCount | None = None
    num_kernels: int | None = None
    compile_seconds: float | None = None
    config: str = ""
    """torchao: a row of `suite.quantization.torchao.CONFIGS`."""
    left: dict[str, str] = field(default_factory=dict)
    """torchao: Linear layer that was not quantized -> reason."""
    others: tuple[str, ...] = ()
    """torchao: modules with a matrix that it does not support."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerHarm:
    """What a model loses when one of its layers alone is computed in 8 bits."""

    name: str
    """Node, as `Quantization.excluded` takes it."""
    scope: str = ""
    """Module; empty if unknown."""
    operator: str = ""
    place: int = 0
    """Among the layers, in the order of the graph."""
    error: float = 0.0
    """Norm of the outputs' difference from float over the norm of the float outputs; infinite for no number."""
    drop: float | None = None
    """Loss of the metric on the samples; None where only the error was measured."""
    share: float | None = None
    """Share (0..1) of the float graph's time that the layer takes."""
    group: int | None = None
    """Number of the group with which it was switched, if time did not suffice for each by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Layers by what their 8 bits cost, the worst first."""

    layers: tuple[LayerHarm, ...] = ()
    by: str = "error"
    """metric or error: what they are ranked by; ties of the metric by the error."""
    num_samples: int = 0
    """Held-out samples on which it was measured."""
    num_left: int = 0
    """Layers that were not reached within the budget."""
    budget: float = 0.0
    """Seconds that were allowed."""
    seconds: float = 0.0
    """Seconds that it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of quantizing the whole graph that was tried because the plain one lost too much."""

    name: str
    """plain, or a row of `suite.stages.quantize.ways.WAYS`."""
    loss: float | None = None
    """Drop of the metric, or relative error, on held-out samples; None if it could not be made."""
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """How a quantized graph that lost too much was brought within its limit, or that it could not be."""

    limit: float
    """Allowed loss: of the metric, or the relative error."""
    before: float
    """Loss of the plain graph, measured as the stage judges."""
    after: float
    """Loss of the graph that was kept."""
    ways: tuple[Way, ...] = ()
    kept: str = "plain"
    """The way of quantizing from which layers were left out, if any were."""
    excluded: tuple[str, ...] = ()
    """Layers that were left in float because of their harm."""
    num_layers: int = 0
    """Layers that the plain graph has in 8 bits."""
    num_quantized: tuple[int, int] = (0, 0)
    """8-bit operators before and after."""
    num_conversions: tuple[int, int] = (0, 0)
    """Nodes in the file that convert between 8 bits and float, before and after."""
    num_samples: int = 0
    """Held-out samples of the search."""
    num_trials: int = 0
    """Sets of layers that were judged."""
    seconds: float = 0.0
    failure: str = ""
    """Why no set of layers was found; empty if one was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Agreement of two models' outputs on the same inputs."""

    relative_error: float
    """Norm of the difference over the norm of the float32 outputs, over all floating-point outputs and inputs."""
    argmax_agreement: float | None = None
    """Share (0..1) of the rows of the first output whose largest element is at the same place; None without rows."""
    num_inputs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeResult(StageResult):
    """A state that was quantized and compared with its parent."""

    lane: str = ""
    """Variant."""
    report: QuantizationReport | None = None
    metric: QuantizeQuality | None = None
    drop: float | None = None
    """Loss of the metric; negative if it improved."""
    fidelity: Fidelity | None = None
    """Agreement with the float model, of a model that is judged as built."""
    latency: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Arm (float, quantized, and others) -> seconds of a forward pass, measured alternately."""
    is_starved: bool = False
    """Whether those were taken while a thread had less than 80% of a core, so that no ratio can be told."""
    speedup: dict[str, SpeedRatio] = field(default_factory=dict)
    """Arm -> how many times faster than float; `plain` is the graph before layers were left in float."""
    sensitivity: Sensitivity | None = None
    """What each layer costs; measured where the plain graph loses too much, and on request."""
    mending: Mending | None = None
    """None where the plain graph is within its limit."""
    choice: str = ""
    """quantized, float or tie: which of the two graphs the turns say to ship, if the loss is within the limit."""
