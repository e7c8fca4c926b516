"""What a model's record says of its life: how it is trained, fine-tuned, pruned and quantized at one size.

Every field has a default that suits a small model, so that a user's record works without any of this. Callables are
named as "package.module:function", because records travel as JSON.
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
    """A row of `suite.training.schedules.SCHEDULES`: constant, linear, cosine; each behind a linear warm-up."""
    warmup: float = 0.1
    """Share of the steps over which the learning rate rises."""
    steps: int = 200
    """Optimizer steps at most; early stopping may end it sooner."""
    batch: int = 32
    """Samples per optimizer step."""
    micro_batch: int = 0
    """Samples per forward pass, gradients accumulated up to `batch`; 0 = all at once."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    evaluations: int = 4
    """How often the validation loss is looked at, evenly over the steps."""
    patience: int = 3
    """Evaluations without a better validation loss after which training stops."""
    test_samples: int = 256
    """Samples of the test split that the quality metric is computed on, at most."""
    loss: str = ""
    """"package.module:function" called as `loss(module, batch) -> Tensor`; empty = the task's own."""
    margin: float = 5.0
    """How much better than the untrained model and than the task's trivial baseline the metric has to be: points, or
    percent where the task's metric is relative."""
    overfit_steps: int = 60
    """Steps in which a single small batch has to be overfitted."""
    overfit_samples: int = 8
    overfit_rate: float = 0.0
    """Learning rate of that trial; 0 = the training's own, constant."""
    overfit_to: float = 0.5
    """Share of its first loss below which the loss of that batch has to fall."""
    parallel: tuple[str, ...] = ()
    """How `--nproc` trains it on several processes: ddp, fsdp, tensor; empty = not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuning:
    """From the trained model to a second task on other data."""

    steps: int = 40
    """Optimizer steps, the same for every strategy and for the twin that starts from scratch."""
    learning_rate: float = 5e-4
    batch: int = 32
    layer_decay: float = 0.7
    """`layerwise`: factor on the learning rate from one group of layers to the one below."""
    groups: int = 4
    """`layerwise`: groups of layers from bottom to top, unfrozen from the top."""
    lora: tuple[str, ...] = ()
    """Names of the Linear layers that get adapters; empty = the strategy `lora` does not exist for this model."""
    lora_rank: int = 8
    lora_rate: float = 0.0
    """Learning rate of the adapters; 0 = four times that of the strategy `full`."""
    margin: float = 0.0
    """How much better than from scratch the metric of the second task has to be, in its unit."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Strategy -> learning rate, where it differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Structured pruning of the trained model, with a short recovery."""

    method: str = "channels"
    """A row of `suite.pruning.methods.METHODS`: channels, heads, feed_forward, recurrent."""
    ratio: float = 0.5
    """Share of channels (hidden units, heads) to remove, within 0..1."""
    round_to: int = 1
    """Widths are kept a multiple of it."""
    ignored: tuple[str, ...] = ()
    """Modules that keep their outputs, by name or glob, beside `ModelSpec.head`."""
    parameters_left: float = 0.7
    """Share of the parameters that may be left at most: the proof that something was removed."""
    macs_left: float = 0.8
    """The same for multiply-accumulates."""
    importance: str = "magnitude"
    """magnitude of the weights, or taylor: what the loss would rise by without them."""
    recovery_steps: int = 60
    learning_rate: float = 5e-4
    max_drop: float = 5.0
    """How much worse the metric may be after recovery: points, or percent where the metric is relative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Post-training quantization of the trained (and of the pruned) model."""

    method: str = "static"
    """static: QDQ with calibration, for convolutional nets. dynamic: MatMul, Gemm and LSTM, for transformers."""
    operators: tuple[str, ...] = ()
    """Operators of the graph to quantize; empty = the method's own."""
    excluded: tuple[str, ...] = ()
    """Nodes that stay in float32, by name or glob: heads that accuracy needs."""
    calibration_samples: int = 64
    eight_bits: tuple[str, ...] = ()
    """static: variants (int8, pruned_int8) that keep all eight bits of their weights, because they lose too much by
    seven. A CPU without VNNI is fast with seven alone; elsewhere it makes no difference."""
    least_operators: int = 1
    """How many operators have to come out quantized, at least."""
    bytes_left: float = 0.6
    """Share of the graph's bytes that may be left at most."""
    max_drop: float = 1.0
    """How much worse the metric may be: points, or percent where the metric is relative."""
    pt2e: bool = False
    """Whether the second lane (PT2E with the x86 quantizer, compiled) exists for this model."""
    torchao: tuple[str, ...] = ()
    """On CUDA, for models made of Linear layers: rows of `suite.quantization.torchao.CONFIGS`, of which the first one
    that the GPU runs is taken; empty = this lane does not exist for the model."""
