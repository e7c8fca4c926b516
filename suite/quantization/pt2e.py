"""Worker side. PT2E: a module's exported graph quantized for x86, as a slow reference and compiled by Inductor."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from suite.axes import EXPORT, PT2E
from suite.claims import Claim
from suite.lifecycle import Quantization
from suite.quantization.errors import QuantizationError
from suite.quantization.report import bytes_left, listed, smaller_claim
from suite.quantization.types import types_here
from suite.results.quantize import KernelCount, OperatorCount, QuantizationReport
from suite.worker.errors import Unavailable

if TYPE_CHECKING:
    from torch import nn
    from torch.fx import GraphModule, Node

LAYERS: Final = ("conv1d", "conv2d", "conv3d", "linear", "matmul", "bmm", "conv_transpose2d")
"""aten operators that multiply; those with a float weight count as left in float."""

KERNELS: Final = {
    "convolution": (
        "qconv_unary_lower_count",
        "qconv2d_binary_lower_count",
        "qconv_binary_lower_count",
    ),
    "linear": ("qlinear_unary_lower_count", "qlinear_binary_lower_count"),
}
"""Kind -> Inductor's counters of the 8-bit oneDNN kernels in a compiled graph."""


def quantize_pt2e(
    module: nn.Module,
    inputs: Mapping[str, Any],
    calibration: Iterable[Mapping[str, Any]],
    *,
    dynamic_shapes: Any = None,
) -> tuple[GraphModule, QuantizationReport]:
    """Return the quantized graph of a module in eval mode, and what was done to it.

    The graph takes the same keyword arguments as the module (of the shapes of `inputs`, except for the axes that
    `dynamic_shapes` declares, as torch.export takes them) and gives the same result, computed in float between
    conversions: slow, but with the errors of 8 bits. Bytes are those of parameters and buffers.

    Raises Unavailable if the CPU is not x86, QuantizationError when there is nothing to calibrate on and when no
    operator was quantized.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise Unavailable(
            f"PT2E's X86InductorQuantizer needs an x86 CPU; this one is {platform.machine()}"
        )
    watch = _Watch()
    before = _bytes_of(module)
    graph: Any = torch.export.export(
        module, (), dict(inputs), dynamic_shapes=dynamic_shapes, strict=True
    ).module()
    watch.lap(EXPORT)
    tell_calls_apart(graph)
    graph = prepare_pt2e(graph, _quantizer())
    watch.lap("prepare")
    num_samples = 0
    with torch.no_grad():
        for sample in calibration:
            graph(**sample)
            num_samples += 1
    if not num_samples:
        raise QuantizationError(
            "the calibration set is empty; expected at least one real batch of the training split; next: look at"
            " `calibration_samples` of the model's Quantization and at the data"
        )
    watch.lap("calibrate")
    graph = convert_pt2e(graph)
    watch.lap("convert")
    counted = count_quantized(graph)
    if not counted.num_quantized:
        raise QuantizationError(
            f"PT2E quantized nothing: {counted.floating or 'no convolution or linear layer'} stays in float;"
            " expected convolutions (2D) or linear layers; next: set `pt2e` of the model's Quantization to False"
        )
    return graph, QuantizationReport(
        method=PT2E,
        num_quantized=counted.num_quantized,
        count=counted,
        num_calibration=num_samples,
        bytes=bytes_left(before, _bytes_read(graph)),
        seconds=watch.seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A compiled program; called with the model's inputs by name, or in their order."""

    program: Callable[..., Any]
    names: tuple[str, ...]
    kernels: KernelCount
    """Its 8-bit kernels by kind: convolution, linear."""
    seconds: float
    """Duration of the compilation and the first run."""

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """Return the model's result, always in inference mode: any other mode would trigger a recompilation."""
        import torch

        with torch.inference_mode():
            return self.program(**dict(zip(self.names, args, strict=False)), **inputs)


def compile_quantized(graph: GraphModule, inputs: Mapping[str, Any]) -> Compiled:
    """Compile the graph with Inductor and frozen weights, for inputs of these shapes.

    Raises QuantizationError when Inductor used no 8-bit kernel: then nothing runs in 8 bits.
    """
    import torch
    from torch._dynamo.utils import counters
    from torch._inductor import config

    from suite.backends import inductor

    torch._dynamo.reset()
    counters.clear()
    begin = time.perf_counter()
    program = inductor.compiled(graph)
    with torch.inference_mode(), config.patch(freezing=True):
        program(**inputs)
    seconds = time.perf_counter() - begin
    found = counters["inductor"]
    kernels = {kind: sum(found[name] for name in names) for kind, names in KERNELS.items()}
    if not any(kernels.values()):
        raise QuantizationError(
            "Inductor compiled the quantized graph without a single 8-bit kernel, so it runs in float between"
            " conversions; next: set `pt2e` of the model's Quantization to False"
        )
    return Compiled(
        program=program,
        names=tuple(inputs),
        kernels=KernelCount(integer=kernels, num_integer=sum(kernels.values())),
        seconds=seconds,
    )


def with_compiled(report: QuantizationReport, compiled: Compiled) -> QuantizationReport:
    """Add Inductor's kernels and times to PT2E's report."""
    return replace(
        report,
        kernels=compiled.kernels,
        num_kernels=compiled.kernels.num_integer,
        compile_seconds=compiled.seconds,
    )


def claims_of(report: QuantizationReport, settings: Quantization) -> list[Claim]:
    """Return the claims about the report of `quantize_pt2e`, and about its kernels if it was compiled."""
    counted, running, size = report.count, report.kernels, report.bytes
    if counted is None or size is None:
        raise ValueError("PT2E's report has a count and bytes")
    least = max(1, settings.least_operators)
    claims = [
        Claim(
            name="operators are quantized",
            holds=counted.num_quantized >= least,
            evidence=(
                f"{counted.num_quantized} quantized ({listed(counted.quantized)}), expected at least {least};"
                f" in float: {listed(counted.floating)}"
            ),
        ),
        smaller_claim("the program's weights are smaller", size, settings),
    ]
    if running is not None:
        claims.append(
            Claim(
                name="Inductor runs them in 8 bits",
                holds=running.num_integer >= least,
                evidence=f"8-bit kernels: {listed(running.integer)}; expected at least {least}",
            )
        )
    return claims


def count_quantized(graph: GraphModule) -> OperatorCount:
    """Count the calls whose value and weight both come from a dequantize, and the others with a weight."""
    quantized: Counter[str] = Counter()
    floating: Counter[str] = Counter()
    for node in graph.graph.nodes:
        name = _name_of(node)
        if name in LAYERS:
            sources = [_source(arg) for arg in node.args[:2]]
            if all(source.startswith("dequantize") for source in sources):
                quantized[name] += 1
            elif sources[1] == "stored":
                floating[name] += 1
        elif name in ("lstm", "gru"):
            floating[name] += 1
    return OperatorCount(
        quantized=dict(sorted(quantized.items())),
        floating=dict(sorted(floating.items())),
        num_quantized=quantized.total(),
    )


def tell_calls_apart(graph: GraphModule) -> None:
    """Give each call of a module that is called several times (a block's only ReLU) a name of its own, in place.

    In graphs exported without strict mode, torch 2.15 finds the quantizer's patterns by module name and takes two calls
    for one with two results: "Input partition has more than one output node".
    """
    calls: Counter[tuple[str, Any]] = Counter()
    for node in graph.graph.nodes:
        stack = node.meta.get("nn_module_stack")
        if node.op != "call_function" or not stack:
            continue
        key = next(reversed(stack))
        name, kind = stack[key]
        calls[name, node.target] += 1
        if calls[name, node.target] > 1:
            node.meta["nn_module_stack"] = {
                **stack,
                key: (f"{name}@{calls[name, node.target]}", kind),
            }


def _quantizer() -> Any:
    """Quantize activations unsigned per tensor, weights signed per channel; in seven bits where eight saturate."""
    import torch
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    types = types_here()
    reduced = types is None or types.reduce_range
    quantizer = X86InductorQuantizer().set_global(
        get_default_x86_inductor_quantization_config(reduce_range=reduced)
    )
    # It would also observe products of integers (RoBERTa's positions), which its histograms reject.
    return quantizer.set_function_type_qconfig(torch.mul, None)


def _name_of(node: Node) -> str:
    """Return the operator's name: conv2d for aten.conv2d.default."""
    packet = getattr(node.target, "overloadpacket", None)
    return str(packet).rpartition(".")[2] if node.op == "call_function" and packet else ""


def _source(value: Any) -> str:
    """Return the origin of an operand: the operator's name, or `stored`."""
    while _name_of(value) in ("view", "reshape", "permute", "transpose", "t", "unsqueeze", "clone"):
        value = value.args[0]
    return "stored" if value.op == "get_attr" else _name_of(value)


def _bytes_of(module: nn.Module) -> int:
    return sum(
        tensor.nbytes for group in (module.parameters(), module.buffers()) for tensor in group
    )


def _bytes_read(graph: GraphModule) -> int:
    """Return the bytes of the tensors that the graph reads; unused float weights, already folded, do not count."""
    tensors = dict([*graph.named_parameters(), *graph.named_buffers()])
    names = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    return sum(tensors[name].nbytes for name in names if name in tensors)


class _Watch:
    """Measures seconds between laps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begin = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._begin
        self._begin = now
