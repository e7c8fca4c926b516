"""The axes of the matrix: every stage, backend, dtype, size and task that exists, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DTYPES: Final = ("float32", "bfloat16", "float16")
"""Floating-point types a model can be converted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How a model is executed."""

    name: str
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


BACKENDS: Final = {
    row.name: row
    for row in (
        Backend(name="eager", module="suite.backends.eager", imports=("torch",), by_default=True),
        Backend(
            name="compiled",
            module="suite.backends.compiled",
            imports=("torch",),
            by_default=False,
        ),
        Backend(
            name="onnxruntime",
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

TASKS: Final = {
    row.name: row
    for row in (
        Task(
            name="image_classification",
            module="suite.tasks.image_classification",
            input="image",
        ),
        Task(name="row_classification", module="suite.tasks.row_classification", input="image"),
        Task(name="image_generation", module="suite.tasks.image_generation", input="image"),
        Task(name="detection", module="suite.tasks.detection", input="scene"),
        Task(name="segmentation", module="suite.tasks.segmentation", input="scene"),
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
        ),
        Task(name="translation", module="suite.tasks.translation", input="text", unit="tokens"),
        Task(
            name="language_modeling",
            module="suite.tasks.language_modeling",
            input="text",
            unit="tokens",
        ),
        Task(name="speech_recognition", module="suite.tasks.speech_recognition", input="speech"),
    )
}

SIZES: Final = ("tiny", "base")
"""tiny: the same architecture, shrunk to seconds on two cores. base: the published architecture."""

STAGES: Final = ("build", "export", "bench")
"""Steps of a model's life that exist today, in the order in which they need each other."""

DEVICES: Final = ("auto", "cpu", "cuda")
"""What `--device` takes, beside `cuda:N`; auto measures what is there."""
