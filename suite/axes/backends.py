"""Execution backends of a model: one row per backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EAGER: Final = "eager"
COMPILED: Final = "compiled"
ONNXRUNTIME: Final = "onnxruntime"

DTYPES: Final = ("float32", "bfloat16", "float16")
"""Floating-point types a model can be converted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Execution backend of a model."""

    name: str
    title: str
    """Display name."""
    short: str
    """One-word name for narrow places."""
    meaning: str
    """Phrase that describes what it runs; Markdown, for the docs."""
    colours: tuple[str, str]
    """Colours of its marks and bars in charts: on light paper and on dark."""
    mark: str = "circle"
    """Marker of its points in charts: circle, diamond or square."""
    module: str
    """Worker-side module with `load(request) -> Runnable` (see suite/backends/runnable.py)."""
    imports: tuple[str, ...]
    """Libraries that a cold start of this backend has to import."""
    preload: tuple[str, ...] = ("torch",)
    """Modules that the launcher preloads for it. Not onnxruntime: it starts a thread when imported, after which a fork
    is unsafe, and importing it costs 20 ms.
    """
    by_default: bool
    """Whether it is measured if the user names no backend."""
    needs_graph: bool = False
    """Whether it runs the exported ONNX graph, so that the export has to come first."""
    dtypes: tuple[str, ...] = DTYPES
    """Supported dtypes; the rest is unsupported with `dtypes_reason`."""
    dtypes_reason: str = ""
    dtypes_url: str = ""


BACKENDS: Final = {
    row.name: row
    for row in (
        Backend(
            name=EAGER,
            title="Eager",
            short="eager",
            meaning="the module as it is, in PyTorch",
            colours=("#5f7fae", "#86a5d6"),
            module="suite.backends.eager",
            imports=("torch",),
            by_default=True,
        ),
        Backend(
            name=COMPILED,
            title="Compiled",
            short="compiled",
            meaning="the module through `torch.compile` (Inductor)",
            colours=("#2f9a7c", "#58c2a2"),
            mark="square",
            module="suite.backends.compiled",
            imports=("torch",),
            by_default=False,
        ),
        Backend(
            name=ONNXRUNTIME,
            title="ONNX Runtime",
            short="ORT",
            meaning="the exported graph, in ONNX Runtime",
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

REFERENCE: Final = EAGER
"""Backend to which the others are compared."""

DEFAULT_BACKENDS: Final = tuple(row.name for row in BACKENDS.values() if row.by_default)
"""Backends measured if the user names none."""

BACKENDS_OFFERED: Final = (
    *DEFAULT_BACKENDS,
    *(name for name in BACKENDS if name not in DEFAULT_BACKENDS),
)
"""All backends for help texts, the default ones first."""
