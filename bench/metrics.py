"""Metrics: every number that is reported, one row each: what it means and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number that is reported."""

    name: str
    title: str
    """For table heads."""
    unit: str
    """s, B, B/iteration, 1 (a count), MAC, 1/s; see bench/units.py."""
    instrument: str
    """Step whose worker brings it home: latency, memory, coldstart, size or export."""
    statistic: str
    """What becomes of the samples: p50, slope or single (one value, or one per fresh worker:
    their median)."""
    direction: str = "lower"
    """lower or higher is better; none where it is a fact."""
    is_deterministic: bool = False
    """The same on every run of the same code, so that it is compared exactly."""
    derived_from: str = ""
    """Metric whose samples it is computed from; empty = has samples of its own."""
    meaning: str
    """One sentence."""


METRICS: Final = {
    row.name: row
    for row in (
        Metric(
            name="latency",
            title="latency",
            unit="s",
            instrument="latency",
            statistic="p50",
            meaning=(
                "Wall time of one warm forward pass on one batch, taken in the worker around a"
                " round of passes and synchronised with the device."
            ),
        ),
        Metric(
            name="latency_device",
            title="device time",
            unit="s",
            instrument="latency",
            statistic="p50",
            meaning=(
                "Time of one warm forward pass between two CUDA events around the same round;"
                " without the wait of the host."
            ),
        ),
        Metric(
            name="throughput",
            title="throughput",
            unit="1/s",
            instrument="latency",
            statistic="p50",
            direction="higher",
            derived_from="latency",
            meaning=(
                "Samples (for text: tokens without padding) of one batch over its median latency."
            ),
        ),
        Metric(
            name="peak_rss_delta",
            title="peak RSS",
            unit="B",
            instrument="memory",
            statistic="single",
            meaning=(
                "How far the process's resident memory rose above its level before the first"
                " forward pass (VmHWM after a reset, minus VmRSS, pages of files left out):"
                " activations, work space, and what the allocator keeps; weights and session are"
                " in the level."
            ),
        ),
        Metric(
            name="peak_tensor_bytes",
            title="peak tensors",
            unit="B",
            instrument="memory",
            statistic="single",
            is_deterministic=True,
            meaning=(
                "Most bytes that PyTorch's CPU allocator had handed out at once during one"
                " forward pass, above weights and inputs."
            ),
        ),
        Metric(
            name="cuda_allocated",
            title="peak allocated",
            unit="B",
            instrument="memory",
            statistic="single",
            is_deterministic=True,
            meaning=(
                "Most bytes that tensors held on the GPU at once, weights included"
                " (max_memory_allocated)."
            ),
        ),
        Metric(
            name="cuda_reserved",
            title="peak reserved",
            unit="B",
            instrument="memory",
            statistic="single",
            meaning=(
                "Most bytes that the caching allocator held from the driver, used or not"
                " (max_memory_reserved): what another process cannot have."
            ),
        ),
        Metric(
            name="live_bytes",
            title="live bytes",
            unit="B",
            instrument="memory",
            statistic="p50",
            direction="none",
            meaning=(
                "Resident memory (on a GPU: allocated bytes) after each of several equal forward"
                " passes, garbage collected."
            ),
        ),
        Metric(
            name="leak",
            title="leak",
            unit="B/iteration",
            instrument="memory",
            statistic="slope",
            derived_from="live_bytes",
            meaning=(
                "Theil-Sen slope of the live bytes over equal forward passes; 0 when nothing is"
                " kept."
            ),
        ),
        Metric(
            name="import",
            title="import",
            unit="s",
            instrument="coldstart",
            statistic="single",
            meaning="Importing the backend's libraries in a fresh interpreter.",
        ),
        Metric(
            name="build",
            title="build",
            unit="s",
            instrument="coldstart",
            statistic="single",
            meaning=(
                "Building the model with its weights in a fresh worker that has the libraries"
                " imported."
            ),
        ),
        Metric(
            name="session",
            title="session",
            unit="s",
            instrument="coldstart",
            statistic="single",
            meaning=(
                "Creating the ONNX Runtime session from the saved graph: reading, optimizing,"
                " planning."
            ),
        ),
        Metric(
            name="first_forward",
            title="first forward",
            unit="s",
            instrument="coldstart",
            statistic="single",
            meaning=(
                "The first forward pass of a fresh worker: with its lazy initialization, cold"
                " caches, kernel selection."
            ),
        ),
        Metric(
            name="parameters",
            title="parameters",
            unit="1",
            instrument="size",
            statistic="single",
            direction="none",
            is_deterministic=True,
            meaning="Number of weights, shared ones once.",
        ),
        Metric(
            name="parameter_bytes",
            title="weights",
            unit="B",
            instrument="size",
            statistic="single",
            is_deterministic=True,
            meaning="Bytes of the weights and buffers in memory, shared ones once.",
        ),
        Metric(
            name="macs",
            title="MACs",
            unit="MAC",
            instrument="size",
            statistic="single",
            is_deterministic=True,
            meaning=(
                "Multiply-accumulates of matrix products, convolutions, recurrent cells and"
                " attention in one forward pass of the cell's batch (half the FLOPs)."
            ),
        ),
        Metric(
            name="training_step",
            title="training step",
            unit="s",
            instrument="training",
            statistic="p50",
            meaning=(
                "Forward, backward, clipping and optimizer step on one batch of the cell's size (two samples"
                " at least) that lies ready on the device, warm."
            ),
        ),
        Metric(
            name="training_throughput",
            title="training throughput",
            unit="1/s",
            instrument="training",
            statistic="p50",
            direction="higher",
            derived_from="training_step",
            meaning="Samples of that batch over the median training step.",
        ),
        Metric(
            name="loading",
            title="loading",
            unit="1/s",
            instrument="dataloader",
            statistic="p50",
            direction="higher",
            meaning="Samples per second that the data loader hands over, by its number of workers.",
        ),
        Metric(
            name="train_step",
            title="step",
            unit="s",
            instrument="train",
            statistic="p50",
            meaning=(
                "Wall time of one optimizer step of a brief training on the record's batch, waiting for data"
                " included; no measurement of speed: other work may run beside it."
            ),
        ),
        Metric(
            name="train_wait",
            title="waiting",
            unit="s",
            instrument="train",
            statistic="p50",
            meaning="Of it, waiting for data.",
        ),
        Metric(
            name="train_peak_rss",
            title="peak RSS in training",
            unit="B",
            instrument="train",
            statistic="single",
            meaning="How far resident memory rose above its level at the beginning of the training.",
        ),
        Metric(
            name="train_cuda_allocated",
            title="peak allocated in training",
            unit="B",
            instrument="train",
            statistic="single",
            meaning="Most bytes that tensors held on the GPU at once during training.",
        ),
        Metric(
            name="parallel_step",
            title="parallel step",
            unit="s",
            instrument="parallel",
            statistic="p50",
            meaning="Wall time of one optimizer step on several processes together.",
        ),
        Metric(
            name="quantized_bytes",
            title="quantized",
            unit="B",
            instrument="quantize",
            statistic="single",
            is_deterministic=True,
            meaning="Bytes of the quantized graph, or of the quantized module's weights.",
        ),
        Metric(
            name="onnx_bytes",
            title="ONNX file",
            unit="B",
            instrument="export",
            statistic="single",
            is_deterministic=True,
            meaning="Bytes of the saved ONNX graph, external data included.",
        ),
        Metric(
            name="onnx_nodes",
            title="ONNX nodes",
            unit="1",
            instrument="export",
            statistic="single",
            direction="none",
            is_deterministic=True,
            meaning="Nodes of the saved ONNX graph, those in subgraphs and functions included.",
        ),
    )
}
