"""Worker side. Latency and memory of a module in the process that has it: a test of its owner's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from bench.doubts import doubts
from bench.instruments import latency as latency_instrument
from bench.instruments import memory as memory_instrument
from bench.plan import PLANS
from bench.stats import percentile
from suite.axes import CPU
from suite.backends.runnable import Runnable
from suite.flat_tensors import flatten_outputs
from suite.results.measuring import RunResult
from suite.timing import waiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Time of one warm forward pass on these inputs, in seconds."""

    p50: float
    low: float | None
    """Lower end of the median's 95% interval; None with too few rounds."""
    high: float | None
    samples: tuple[float, ...]
    """Seconds per pass, one sample a round."""
    threads: int
    device: str
    doubts: tuple[str, ...]
    """Reasons to distrust the figure, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of one forward pass in bytes, weights and inputs not counted."""

    peak_tensor_bytes: int
    """Most that PyTorch's allocator had handed out at once: exact, the same in every run on a CPU."""
    peak_rss_delta: int | None
    """Rise of resident memory; None where the system does not count it, see `absent`."""
    absent: Mapping[str, str]
    """Metric that is not available here -> reason."""


def measure_latency(
    function: Callable[..., Any], inputs: Sequence[Any], named: Mapping[str, Any], plan: str
) -> Latency:
    """Return the latency of `function(*inputs, **named)`, in eval mode and without gradients."""
    subject, device = _bound(function, inputs, named)
    with _evaluating(function), subject.inference():
        subject.call()
        subject.synchronize()
        found = latency_instrument.measure(subject, PLANS[plan], _ignore, device=device)
    measured = found[0]
    estimate = percentile(measured.samples, 0.5)
    assert estimate is not None, "a measurement has samples"
    return Latency(
        p50=estimate.value,
        low=estimate.low,
        high=estimate.high,
        samples=measured.samples,
        threads=torch.get_num_threads(),
        device=device,
        doubts=tuple(doubt.summary for doubt in doubts(measured, PLANS[plan])),
    )


def measure_memory(
    function: Callable[..., Any], inputs: Sequence[Any], named: Mapping[str, Any], plan: str
) -> Memory:
    """Return the memory of `function(*inputs, **named)`, in eval mode and without gradients."""
    subject, device = _bound(function, inputs, named)
    with _evaluating(function), subject.inference():
        found, absent = memory_instrument.measure(subject, PLANS[plan], _ignore, device=device)
    values = {one.metric: int(one.samples[0]) for one in found}
    tensors = values.get("peak_tensor_bytes", values.get("cuda_allocated"))
    assert tensors is not None, "a module's tensors are counted on every device"
    return Memory(
        peak_tensor_bytes=tensors,
        peak_rss_delta=values.get("peak_rss_delta"),
        absent={name: why for name, why in absent.items() if name == "peak_rss_delta"},
    )


def _bound(
    function: Callable[..., Any], inputs: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Runnable, str]:
    """Return the callable with its inputs, and the device of the first tensor among weights and inputs."""
    weights = function.parameters() if isinstance(function, torch.nn.Module) else iter(())
    tensors = [leaf for leaf in pytree.tree_leaves((inputs, named)) if isinstance(leaf, Tensor)]
    first = next(weights, tensors[0] if tensors else None)
    device = CPU if first is None or first.device.type == CPU else str(first.device)
    call = partial(function, *inputs, **named)

    def outputs() -> list[Tensor]:
        return [tensor.to(CPU, torch.float32) for tensor in flatten_outputs(call())]

    subject = Runnable(
        call=call,
        outputs=outputs,
        synchronize=waiter(device),
        inference=torch.inference_mode,
        module=function,
        setup=RunResult(threads=torch.get_num_threads()),
    )
    return subject, device


@contextmanager
def _evaluating(function: Callable[..., Any]) -> Iterator[None]:
    """Within the block, a module and its parts are in eval mode; each gets its own mode back."""
    parts = list(function.modules()) if isinstance(function, torch.nn.Module) else []
    modes = [part.training for part in parts]
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode


def _ignore(kind: str, /, **data: Any) -> None:
    """Take a phase of the instrument: in a test nobody follows them."""
