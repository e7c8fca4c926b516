"""The axes of the matrix: every stage, backend, dtype, size and task that exists, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from suite.axes.stages import STAGE_ROWS

DTYPES: Final = ("float32", "bfloat16", "float16")
"""Floating-point types a model can be converted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How a model is executed."""

    name: str
    title: str
    """As people write it."""
    short: str
    """In a word, for narrow places."""
    colours: tuple[str, str]
    """Of its marks and bars in charts: on light paper and on dark."""
    mark: str = "circle"
    """Of its points in charts: circle, diamond or square."""
    module: str
    """Worker-side module with `load(request) -> Runnable` (see suite/backends/runnable.py)."""
    imports: tuple[str, ...]
    """Libraries that a cold start of this backend has to import."""
    preload: tuple[str, ...] = ("torch",)
    """What the launcher imports for it. Not onnxruntime: it starts a thread when imported, after which a fork
    is unsafe, and it costs 20 ms."""
    by_default: bool
    """Measured when the user names no backend."""
    needs_graph: bool = False
    """Runs the exported ONNX graph, so the export has to come first."""
    dtypes: tuple[str, ...] = DTYPES
    """What it can run in; the rest is unsupported with `dtypes_reason`."""
    dtypes_reason: str = ""
    dtypes_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a model is for: decides the input, the loss and the quality metric."""

    name: str
    module: str
    """Worker-side module with `batch(spec, size, source, ...) -> Batch` (see suite/tasks/batch.py)."""
    input: str
    """Kind of raw sample it needs; a row of `suite.data.sources.KINDS`."""
    unit: str = "samples"
    """What throughput counts: samples or tokens."""
    metric: str = "accuracy"
    """The task's quality metric."""
    metric_unit: str = "%"
    """% (points of a share), or 1 for a plain number."""
    metric_direction: str = "higher"
    """higher or lower is better."""
    is_relative: bool = False
    """Changes of the metric are told in percent of it (perplexity), not in points."""


BACKENDS: Final = {
    row.name: row
    for row in (
        Backend(
            name="eager",
            title="Eager",
            short="eager",
            colours=("#5f7fae", "#86a5d6"),
            module="suite.backends.eager",
            imports=("torch",),
            by_default=True,
        ),
        Backend(
            name="compiled",
            title="Compiled",
            short="compiled",
            colours=("#2f9a7c", "#58c2a2"),
            mark="square",
            module="suite.backends.compiled",
            imports=("torch",),
            by_default=False,
        ),
        Backend(
            name="onnxruntime",
            title="ONNX Runtime",
            short="ORT",
            colours=("#d8812a", "#eda04e"),
            mark="diamond",
            module="suite.backends.onnxruntime",
            imports=("onnxruntime",),
            preload=("torch", "torch.onnx._internal.exporter._core", "onnx", "onnxscript"),
            by_default=True,
            needs_graph=True,
            dtypes=("float32",),
            dtypes_reason="graphs are exported in float32; lower precision comes from quantization",
            dtypes_url="https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html",
        ),
    )
}

REFERENCE: Final = "eager"
"""The backend that others are compared with."""

TASKS: Final = {
    row.name: row
    for row in (
        Task(
            name="image_classification",
            module="suite.tasks.image_classification",
            input="image",
        ),
        Task(name="row_classification", module="suite.tasks.row_classification", input="image"),
        Task(
            name="image_generation",
            module="suite.tasks.image_generation",
            input="image",
            metric="sliced Wasserstein distance",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(name="detection", module="suite.tasks.detection", input="scene", metric="mAP50"),
        Task(name="segmentation", module="suite.tasks.segmentation", input="scene", metric="mIoU"),
        Task(
            name="video_classification",
            module="suite.tasks.video_classification",
            input="clip",
        ),
        Task(
            name="masked_language_modeling",
            module="suite.tasks.masked_language_modeling",
            input="text",
            unit="tokens",
            metric="perplexity",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(
            name="text_classification",
            module="suite.tasks.text_classification",
            input="text",
            unit="tokens",
        ),
        Task(
            name="question_answering",
            module="suite.tasks.question_answering",
            input="text",
            unit="tokens",
            metric="token F1",
        ),
        Task(
            name="translation",
            module="suite.tasks.translation",
            input="text",
            unit="tokens",
            metric="token accuracy",
        ),
        Task(
            name="language_modeling",
            module="suite.tasks.language_modeling",
            input="text",
            unit="tokens",
            metric="perplexity",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(
            name="speech_recognition",
            module="suite.tasks.speech_recognition",
            input="speech",
            metric="character error rate",
            metric_direction="lower",
        ),
    )
}

SIZES: Final = ("tiny", "base")
"""tiny: the same architecture, shrunk to seconds on two cores. base: the published architecture."""

STAGES: Final = (*STAGE_ROWS, "bench")
"""Steps of a model's life, in the order in which they need each other; bench stands for everything measured."""

LIFE: Final = ("foundations", *STAGES[:-1])
"""What `pytest suite --stages` takes: what everything rests on, and the stages."""

LEARNED: Final = tuple(name for name, row in STAGE_ROWS.items() if row.makes_weights)
"""Stages whose states are weights, which run on every device: `--train-on` says where they are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What a stage makes of a model: a state that later stages start from and that can be measured."""

    name: str
    stage: str
    """The stage that makes it; empty for the model as built."""
    parent: str
    """The variant that it is made from; empty for the model as built."""
    backend: str = "eager"
    """How it runs where the user does not say."""
    backends: tuple[str, ...] = ()
    """Where it can run at all; empty = everywhere."""
    devices: tuple[str, ...] = ("cpu", "cuda")
    exists: Callable[[Any], bool] = lambda size: True
    """Whether a model has it, by the `Size` of its record; a declared gap of the variant shows it all the same."""
    route: str = ""
    """Worker side, of a quantized variant: `package.module:function` that makes its lane."""
    is_exported: bool = False
    """Goes through the export stage."""
    is_measured: bool = False
    """`pytest bench --variant` takes it."""
    is_summarized: bool = False
    """Its loss of quality and its speed sum a model up in a report."""
    title: str = ""
    """As people write it; empty where that is its name."""
    meaning: str


ORIGINAL: Final = "original"
"""The variant that is built, before any stage."""
TRAINED: Final = "trained"
"""The variant that others are made from and compared with."""

VARIANTS: Final = {
    row.name: row
    for row in (
        Variant(
            name="original",
            title="as built",
            stage="",
            parent="",
            is_measured=True,
            meaning="as built, with the weights that --weights says",
        ),
        Variant(
            name="trained",
            stage="train",
            parent="original",
            is_exported=True,
            is_measured=True,
            meaning="trained briefly on its task",
        ),
        Variant(
            name="full",
            stage="finetune",
            parent="trained",
            meaning="fine-tuned on a second task, all weights",
        ),
        Variant(
            name="partial",
            stage="finetune",
            parent="trained",
            meaning="fine-tuned on a second task, the head alone",
        ),
        Variant(
            name="layerwise",
            title="layer-wise",
            stage="finetune",
            parent="trained",
            meaning="fine-tuned on a second task, unfrozen from the top, learning rates falling with depth",
        ),
        Variant(
            name="lora",
            exists=lambda size: bool(size.finetuning.lora),
            title="LoRA",
            stage="finetune",
            parent="trained",
            meaning="fine-tuned on a second task by low-rank adapters, merged",
        ),
        Variant(
            name="pruned",
            stage="prune",
            parent="trained",
            is_exported=True,
            is_measured=True,
            is_summarized=True,
            meaning="trained, channels or heads or units removed, recovered",
        ),
        Variant(
            name="int8",
            route="suite.stages.quantize.graphs:graph_lane",
            stage="quantize",
            parent="trained",
            backend="onnxruntime",
            backends=("onnxruntime",),
            devices=("cpu",),
            is_exported=True,
            is_measured=True,
            is_summarized=True,
            meaning="trained, quantized to 8 bits by ONNX Runtime",
        ),
        Variant(
            name="pruned_int8",
            route="suite.stages.quantize.graphs:graph_lane",
            title="pruned + int8",
            stage="quantize",
            parent="pruned",
            backend="onnxruntime",
            backends=("onnxruntime",),
            devices=("cpu",),
            is_exported=True,
            is_measured=True,
            is_summarized=True,
            meaning="pruned, then quantized to 8 bits by ONNX Runtime",
        ),
        Variant(
            name="pt2e",
            exists=lambda size: bool(size.quantization.pt2e),
            route="suite.stages.quantize.modules:pt2e_lane",
            title="PT2E int8",
            stage="quantize",
            parent="trained",
            backend="compiled",
            backends=("compiled",),
            devices=("cpu",),
            is_summarized=True,
            meaning="trained, quantized to 8 bits by PT2E for the x86 Inductor backend, compiled",
        ),
        Variant(
            name="ddp",
            exists=lambda size: "ddp" in size.training.parallel,
            title="DDP",
            stage="parallel",
            parent="original",
            meaning="trained by several processes, each with the whole model and a share of every batch",
        ),
        Variant(
            name="fsdp",
            exists=lambda size: "fsdp" in size.training.parallel,
            title="FSDP2",
            stage="parallel",
            parent="original",
            meaning="trained by several processes, each with a shard of the weights (FSDP2)",
        ),
        Variant(
            name="tensor",
            exists=lambda size: "tensor" in size.training.parallel,
            stage="parallel",
            parent="original",
            meaning="trained by several processes, each with a slice of every matrix",
        ),
        Variant(
            name="bf16",
            route="suite.stages.quantize.modules:bf16_lane",
            stage="quantize",
            parent="trained",
            backend="compiled",
            backends=("compiled",),
            devices=("cuda",),
            is_summarized=True,
            meaning="trained, in bfloat16, compiled",
        ),
        Variant(
            name="torchao",
            exists=lambda size: bool(size.quantization.torchao),
            route="suite.stages.quantize.modules:torchao_lane",
            stage="quantize",
            parent="trained",
            backend="compiled",
            backends=("compiled",),
            devices=("cuda",),
            is_summarized=True,
            meaning="trained, Linear layers in float8 or int8 by torchao, compiled",
        ),
    )
}
"""Variant -> what it is, in the order in which they need each other."""

DEVICES: Final = ("auto", "cpu", "cuda")
"""What `--device` takes, beside `cuda:N`; auto measures what is there."""
