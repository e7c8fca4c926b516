"""Settings of a model's life: training, fine-tuning, pruning and quantization at one size.

Every field has a default that suits a small model, so a user's record works without them. Callables are named
"package.module:function", because records are sent as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A brief training on the model's own task."""

    optimizer: str = "adamw"
    """A row of `suite.training.optimizers.OPTIMIZERS`."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    schedule: str = "cosine"
    """A row of `suite.training.schedules.SCHEDULES`: constant, linear, cosine; each after a linear warm-up."""
    warmup: float = 0.1
    """Share of the steps used for warm-up."""
    steps: int = 200
    """Maximum optimizer steps; early stopping may end training sooner."""
    batch: int = 32
    """Samples per optimizer step."""
    micro_batch: int = 0
    """Samples per forward pass, gradients accumulated up to `batch`; 0 = all at once."""
    clip: float = 1.0
    """Maximum gradient norm."""
    evaluations: int = 4
    """Number of validation loss evaluations, evenly spaced over the steps."""
    patience: int = 3
    """Evaluations without a better validation loss before training stops."""
    test_samples: int = 256
    """Maximum number of test samples for the quality metric."""
    loss: str = ""
    """"package.module:function" called as `loss(module, batch) -> Tensor`; empty = the task's own."""
    margin: float = 5.0
    """Required improvement of the metric over the untrained model and the task's trivial baseline: points, or percent
    if the task's metric is relative."""
    overfit_steps: int = 60
    """Steps within which a single small batch must be overfitted."""
    overfit_samples: int = 8
    overfit_rate: float = 0.0
    """Learning rate of that overfitting; 0 = the training's own, constant."""
    overfit_to: float = 0.5
    """Share of the initial loss below which the loss of that batch must fall."""
    parallel: tuple[str, ...] = ()
    """Parallel modes of `--nproc`: ddp, fsdp, tensor; empty = none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuning:
    """Fine-tuning of the trained model on a second task with other data."""

    steps: int = 40
    """Optimizer steps, the same for every strategy and for the baseline from scratch."""
    learning_rate: float = 5e-4
    batch: int = 32
    layer_decay: float = 0.7
    """`layerwise`: learning rate factor from one group of layers to the one below."""
    groups: int = 4
    """`layerwise`: number of groups of layers from bottom to top, unfrozen from the top."""
    lora: tuple[str, ...] = ()
    """Names of the Linear layers that get adapters; empty = no strategy `lora` for this model."""
    lora_rank: int = 8
    lora_rate: float = 0.0
    """Learning rate of the adapters; 0 = four times that of the strategy `full`."""
    margin: float = 0.0
    """Required improvement of the second task's metric over training from scratch, in its unit."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Strategy -> learning rate, if different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Structured pruning of the trained model, with a short recovery."""

    method: str = "channels"
    """A row of `suite.pruning.engine.METHODS`: channels, heads, feed_forward, recurrent."""
    ratio: float = 0.5
    """Share of channels (hidden units, heads) to remove, within 0..1."""
    round_to: int = 1
    """Divisor of the remaining widths."""
    ignored: tuple[str, ...] = ()
    """Modules whose outputs are kept, by name or glob, in addition to `ModelSpec.head`."""
    parameters_left: float = 0.7
    """Maximum share of parameters left, as proof that something was removed."""
    macs_left: float = 0.8
    """Maximum share of multiply-accumulates left."""
    importance: str = "magnitude"
    """magnitude of the weights, or taylor: the loss increase without them."""
    recovery_steps: int = 60
    learning_rate: float = 5e-4
    max_drop: float = 5.0
    """Maximum degradation of the metric after recovery: points, or percent if it is relative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Post-training quantization of the trained (and of the pruned) model."""

    method: str = "static"
    """static: QDQ with calibration, for convolutional nets. dynamic: MatMul, Gemm and LSTM, for transformers. auto:
    static if most of the graph's weights are in convolutions, else dynamic."""
    operators: tuple[str, ...] = ()
    """Operators of the graph to quantize; empty = the method's default."""
    excluded: tuple[str, ...] = ()
    """Nodes kept in float32, by name or glob: heads that accuracy needs."""
    calibration_samples: int = 64
    eight_bits: tuple[str, ...] = ()
    """static: variants (int8, pruned_int8) that keep all eight bits of their weights because seven lose too much. A CPU
    without VNNI is fast only with seven; elsewhere it makes no difference."""
    least_operators: int = 1
    """Minimum number of quantized operators."""
    bytes_left: float = 0.6
    """Maximum share of the graph's bytes left."""
    max_drop: float = 1.0
    """Maximum degradation of the metric: points, or percent if it is relative."""
    max_error: float = 0.25
    """A model judged as built: maximum relative error of the outputs against float32, over all of them. Of 62 models of
    three libraries the median was 2.5%, the largest 14% (tests/suite/coverage_table.py)."""
    pt2e: bool = False
    """Whether this model has the second quantization recipe (PT2E with the x86 quantizer, compiled)."""
    torchao: tuple[str, ...] = ()
    """On CUDA, for models made of Linear layers: rows of `suite.quantization.torchao.CONFIGS`, of which the first that
    the GPU supports is used; empty = no such recipe for this model."""
