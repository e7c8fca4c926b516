"""Execution backends of a model: one row per backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from suite.axes.devices import CPU, CUDA, DEVICE_KINDS

EAGER: Final = "eager"
COMPILED: Final = "compiled"
ONNXRUNTIME: Final = "onnxruntime"
OPENVINO: Final = "openvino"
AOTINDUCTOR: Final = "aotinductor"

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
    package: str = ""
    """Worker-side function `package.module:function` that writes a model so that it runs without this project (see
    suite/bundles); empty = it cannot be taken along.
    """
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
    provider: str = ""
    """ONNX Runtime's execution provider, if it is not the device's own."""
    generates: bool = False
    """Whether text is generated on it token by token (bench/instruments/generation_modes.py)."""
    dtypes: tuple[str, ...] = DTYPES
    """Supported dtypes; the rest is unsupported with `dtypes_reason`."""
    dtypes_reason: str = ""
    dtypes_url: str = ""
    devices: tuple[str, ...] = tuple(DEVICE_KINDS)
    """Kinds of devices on which it runs; the rest is unsupported with `devices_reason`."""
    devices_reason: str = ""
    devices_url: str = ""


def _provider(
    name: str, title: str, colours: tuple[str, str], devices: tuple[str, ...] = (CPU,)
) -> Backend:
    """Return the row of one of ONNX Runtime's execution providers beside the CPU's and CUDA's own."""
    return Backend(
        name=name,
        title=f"ONNX Runtime, {title}",
        short=f"ORT {title}",
        meaning=f"the exported graph, in ONNX Runtime with its execution provider for {title}, if it has it",
        colours=colours,
        mark="diamond",
        module="suite.backends.onnxruntime",
        package="suite.bundles.graph:write",
        imports=("onnxruntime",),
        preload=GRAPH_PRELOAD,
        by_default=False,
        needs_graph=True,
        provider=f"{PROVIDERS[title]}ExecutionProvider",
        dtypes=("float32",),
        dtypes_reason=GRAPH_DTYPES,
        dtypes_url=GRAPH_URL,
        devices=devices,
        devices_reason=f"the execution provider for {title} runs on {' and '.join(devices)}",
        devices_url="https://onnxruntime.ai/docs/execution-providers/",
    )


PROVIDERS: Final = {"OpenVINO": "OpenVINO", "XNNPACK": "Xnnpack", "TensorRT": "Tensorrt"}
"""Library -> how ONNX Runtime spells it."""
GRAPH_PRELOAD: Final = ("torch", "torch.onnx._internal.exporter._core", "onnx", "onnxscript")
GRAPH_DTYPES: Final = "graphs are exported in float32; lower precision comes from quantization"
GRAPH_URL: Final = "https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html"

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
            package="suite.bundles.program:write",
            imports=("torch",),
            by_default=True,
            generates=True,
        ),
        Backend(
            name=COMPILED,
            title="Compiled",
            short="compiled",
            meaning="the module through `torch.compile` (Inductor)",
            colours=("#2f9a7c", "#58c2a2"),
            mark="square",
            module="suite.backends.compiled",
            package="suite.bundles.program:write",
            imports=("torch",),
            by_default=False,
            generates=True,
        ),
        Backend(
            name=AOTINDUCTOR,
            title="AOTInductor",
            short="AOTI",
            meaning="the module compiled ahead of time into a `.pt2` package, which is loaded",
            colours=("#8f7a2e", "#c9b35e"),
            mark="square",
            module="suite.backends.aotinductor",
            package="suite.bundles.program:write_compiled",
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
            package="suite.bundles.graph:write",
            imports=("onnxruntime",),
            preload=GRAPH_PRELOAD,
            by_default=True,
            needs_graph=True,
            generates=True,
            dtypes=("float32",),
            dtypes_reason=GRAPH_DTYPES,
            dtypes_url=GRAPH_URL,
        ),
        _provider(
            "ort_openvino",
            "OpenVINO",
            ("#a0527f", "#d08bb2"),
        ),
        _provider("ort_xnnpack", "XNNPACK", ("#5c8a8f", "#8fbcc1")),
        _provider("ort_tensorrt", "TensorRT", ("#6f8f3a", "#a3c46a"), devices=(CUDA,)),
        Backend(
            name=OPENVINO,
            title="OpenVINO",
            short="OV",
            meaning="the exported graph, in OpenVINO on the CPU; the dtype is its inference precision, read back",
            colours=("#8a5fb4", "#b795dc"),
            mark="diamond",
            module="suite.backends.openvino",
            package="suite.bundles.openvino:write",
            imports=("openvino",),
            preload=GRAPH_PRELOAD,
            by_default=False,
            needs_graph=True,
            devices=(CPU,),
            devices_reason="measured on the CPU; OpenVINO has no plugin for CUDA",
            devices_url="https://docs.openvino.ai/2026/documentation/compatibility-and-support/supported-devices.html",
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
