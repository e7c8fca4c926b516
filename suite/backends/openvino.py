"""Worker side. Backend `openvino`: the exported graph in OpenVINO's CPU plugin, in a precision that is asked and read.

The hint is always said: without one, a CPU with bfloat16 instructions computes a float32 graph in bfloat16. And it is
read back, because a hint that the CPU cannot follow is replaced without a word: `f16` became bfloat16 on a CPU without
AVX512-FP16 (findings/openvino-f16-hint-runs-in-bf16.sh).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import openvino as ov
import torch
from torch import Tensor

from suite.axes import VARIANTS
from suite.axes.stages import QUANTIZE
from suite.backends.runnable import Runnable
from suite.built_model import batch_of
from suite.flat_tensors import feeds_of
from suite.origins.find import spec_of
from suite.results.measuring import RunResult
from suite.worker.errors import Unavailable
from suite.worker.protocol import CellJob, Emit

PLUGIN: Final = "CPU"


HINTS: Final = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""Dtype of a cell -> value of INFERENCE_PRECISION_HINT, which is also the type's name in an opened graph."""
CAPABILITIES: Final = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}
"""Dtype -> the plugin's capability if the CPU has instructions for it."""

PRODUCTS: Final = (
    "Convolution",
    "Deconvolution",
    "FullyConnected",
    "GatherMatmul",
    "GroupConvolution",
    "GRUCell",
    "LSTMCell",
    "MatMul",
    "MHA",
    "RNNCell",
    "RNNSeq",
    "ScaledDotProductAttention",
)
"""Types of layers in which the multiply-accumulates are."""
INTEGERS: Final = ("i8", "u8")
NARROW: Final = ("bf16", "f16")


def load(job: CellJob, emit: Emit) -> Runnable:
    """Return a Runnable of the job's graph with the cell's batch bound; phases `input`, `session` and `inspection`.

    Raises Unavailable if OpenVINO takes another precision or another number of threads than asked.
    """
    dtype, threads = job.cell.dtype, job.options.threads
    batch = batch_of(job, spec_of(job), emit)
    emit("phase", name="session")
    compiled = open_model(Path(job.options.graph), dtype, threads)
    request = compiled.create_infer_request()
    emit("phase", name="inspection")
    counts = precisions_of(compiled)
    must_compute_in(dtype, counts, is_quantized=VARIANTS[job.cell.variant].stage == QUANTIZE)
    feeds = feeds_of([port.get_any_name() for port in compiled.inputs], batch.inputs)

    def call() -> Any:
        # As ONNX Runtime does: the inputs are read where they lie, the outputs are new arrays.
        return request.infer(feeds, share_inputs=True)

    def outputs() -> list[Tensor]:
        found = call()
        return [torch.from_numpy(found[port]).to(torch.float32) for port in compiled.outputs]

    def forward(other: Mapping[str, Any]) -> list[Tensor]:
        names = [port.get_any_name() for port in compiled.inputs]
        found = request.infer(feeds_of(names, other))
        tensors = [torch.from_numpy(found[port]) for port in compiled.outputs]
        return [t.to(torch.float32) if t.is_floating_point() else t for t in tensors]

    return Runnable(
        call=call,
        outputs=outputs,
        forward=forward,
        synchronize=lambda: None,  # `infer` returns when its results are there
        inputs=feeds,
        setup=RunResult(
            threads=compiled.get_property("INFERENCE_NUM_THREADS"),
            library=f"OpenVINO {ov.__version__.partition('-')[0]}",
            precision=compiled.get_property("INFERENCE_PRECISION_HINT").type_name,
            precisions=counts,
            emulated=emulation_of(dtype),
            num_samples=batch.num_samples,
            num_tokens=batch.num_tokens,
        ),
        data=batch.data,
    )


def settings_of(dtype: str, threads: int) -> dict[str, Any]:
    """Return the properties with which a graph is opened: one stream, latency first, `threads` (0 = the plugin's own
    choice), and the precision.
    """
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": HINTS[dtype],
        **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
    }


def open_model(graph: Path, dtype: str, threads: int, *, counts_layers: bool = False) -> Any:
    """Return the compiled model of a graph; raise Unavailable if it has other settings than asked.

    With `counts_layers` its requests give the time of every layer, which costs some.
    """
    settings = settings_of(dtype, threads) | ({"PERF_COUNT": True} if counts_layers else {})
    compiled = ov.Core().compile_model(graph, PLUGIN, settings)
    got = compiled.get_property("INFERENCE_PRECISION_HINT").type_name
    if got != HINTS[dtype]:
        name = next((name for name, hint in HINTS.items() if hint == got), got)
        raise Unavailable(
            f"OpenVINO was asked to compute in {dtype} and takes {name}: this CPU has instructions for"
            f" {', '.join(capabilities())}; next: --dtype {name}"
        )
    taken = compiled.get_property("INFERENCE_NUM_THREADS")
    if threads and taken != threads:
        raise Unavailable(
            f"OpenVINO was asked for {threads} threads and takes {taken}: it takes no more than there are cores;"
            f" next: --threads {taken}"
        )
    return compiled


def precisions_of(compiled: Any) -> dict[str, int]:
    """Return precision -> number of products of the opened graph that are computed in it."""
    found: Counter[str] = Counter()
    for layer in compiled.get_runtime_model().get_ops():
        told = layer.get_rt_info()
        if str(told["layerType"].value) in PRODUCTS:
            found[str(told["runtimePrecision"].value)] += 1
    return dict(sorted(found.items()))


def must_compute_in(dtype: str, counts: Mapping[str, int], *, is_quantized: bool) -> None:
    """Raise RuntimeError if the products of the opened graph are computed in another precision than asked.

    A layer without a kernel in a narrow precision stays in float32; one of float32 never becomes narrower.
    """
    wanted = HINTS[dtype]
    told = ", ".join(f"{number} in {name}" for name, number in counts.items())
    if is_quantized:
        if counts and not any(name in INTEGERS for name in counts):
            raise RuntimeError(
                f"no product of the 8-bit graph is computed in 8 bits ({told}): the quantized operators were not"
                " recognized; next: --backend onnxruntime, which runs this graph"
            )
    elif counts and wanted not in counts:
        raise RuntimeError(f"OpenVINO accepted {wanted}, and computes no product in it ({told})")
    stray = [name for name in counts if name in NARROW and name != wanted]
    if stray:
        raise RuntimeError(f"OpenVINO was asked for {wanted}, and computes {told}")


def capabilities() -> tuple[str, ...]:
    """Return the dtypes for which the plugin finds instructions on this CPU."""
    found = ov.Core().get_property(PLUGIN, "OPTIMIZATION_CAPABILITIES")
    return tuple(dtype for dtype, name in CAPABILITIES.items() if name in found)


def emulation_of(dtype: str) -> str:
    """Return what this CPU lacks for the dtype; empty if it has the instructions."""
    if dtype in capabilities():
        return ""
    return f"{dtype}: OpenVINO finds no instructions for it on this CPU"
