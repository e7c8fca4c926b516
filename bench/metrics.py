"""Metrics: one row per reported number: its meaning, its unit, and when the gate fails on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from suite.axes import BUILD, EXPORT, PARALLEL, QUANTIZE, TRAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One reported number."""

    name: str
    title: str
    """Heading of its column."""
    unit: str
    """s, B, B/iteration, 1 (a count), MAC, 1/s; see suite/units.py."""
    instrument: str
    """Step whose worker measures it."""
    direction: str = "lower"
    """Which values are better: lower or higher; none for a property without better or worse."""
    is_deterministic: bool = False
    """True if every run of the same code gives the same value: it is then compared exactly."""
    derived_from: str = ""
    """Metric whose samples it is computed from (bench/derived_metrics.py); empty = it has samples of its own."""
    threshold: float | None = None
    """Share of the base version's value by which the head version may be worse before the gate fails; None = the gate
    does not compare it. Users override it in pyproject.toml."""
    floor: float = 0.0
    """Smallest difference that the gate looks at, in the metric's unit."""
    meaning: str
    """One sentence."""

    @property
    def is_remeasured(self) -> bool:
        """Whether the gate measures it again in fresh processes before it fails on it."""
        return self.threshold is not None and self.unit != "s" and not self.is_deterministic


METRICS: Final = {
    row.name: row
    for row in (
        Metric(
            name="latency",
            title="latency",
            unit="s",
            instrument="latency",
            threshold=0.02,
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
            threshold=0.10,
            floor=4 * 1024**2,  # arenas of allocators grow by pages and more
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
            is_deterministic=True,
            threshold=0.01,
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
            is_deterministic=True,
            threshold=0.01,
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
            derived_from="live_bytes",
            threshold=0.0,
            floor=64 * 1024,  # heaps grow in steps of 128 kB
            meaning=(
                "Theil-Sen slope of the live bytes over equal forward passes; 0 when nothing is"
                " kept."
            ),
        ),
        Metric(
            name="relative_error",
            title="error",
            unit="1",
            instrument="fidelity",
            meaning=(
                "Root mean square of the difference of the outputs from those of eager float32 on the cell's input,"
                " over the root mean square of eager's outputs."
            ),
        ),
        Metric(
            name="import",
            title="import",
            unit="s",
            instrument="coldstart",
            meaning="Importing the backend's libraries in a fresh interpreter.",
        ),
        Metric(
            name=BUILD,
            title=BUILD,
            unit="s",
            instrument="coldstart",
            meaning=(
                "Building the model with its weights in a fresh worker that has the libraries"
                " imported."
            ),
        ),
        Metric(
            name="compile",
            title="compile",
            unit="s",
            instrument="coldstart",
            meaning=(
                "Compiling the model ahead of time into a package (AOTInductor): by the first worker of a run, the"
                " others load it. `torch.compile` compiles in the first forward pass."
            ),
        ),
        Metric(
            name="session",
            title="session",
            unit="s",
            instrument="coldstart",
            meaning=(
                "Creating the session from the saved graph (ONNX Runtime, OpenVINO: reading, optimizing, planning), or"
                " loading the package (AOTInductor)."
            ),
        ),
        Metric(
            name="first_forward",
            title="first forward",
            unit="s",
            instrument="coldstart",
            meaning=(
                "The first forward pass of a fresh worker: with its lazy initialization, cold"
                " caches, kernel selection."
            ),
        ),
        Metric(
            name="compile_cold",
            title="compile, cold",
            unit="s",
            instrument="compilation",
            meaning=(
                "First forward pass through `torch.compile` in a fresh process with an empty cache: tracing, generating"
                " and compiling code, and the pass."
            ),
        ),
        Metric(
            name="compile_warm",
            title="compile, warm",
            unit="s",
            instrument="compilation",
            meaning=(
                "The same once more in that process, after torch.compile has forgotten the model: libraries are warm"
                " and the cache is filled."
            ),
        ),
        Metric(
            name="compile_cached",
            title="compile, cached",
            unit="s",
            instrument="compilation",
            meaning="The same in another fresh process that finds the cache of the first.",
        ),
        Metric(
            name="parameters",
            title="parameters",
            unit="1",
            instrument="size",
            direction="none",
            is_deterministic=True,
            threshold=0.0,
            meaning="Number of weights, shared ones once.",
        ),
        Metric(
            name="parameter_bytes",
            title="weights",
            unit="B",
            instrument="size",
            is_deterministic=True,
            threshold=0.0,
            meaning="Bytes of the weights and buffers in memory, shared ones once.",
        ),
        Metric(
            name="macs",
            title="MACs",
            unit="MAC",
            instrument="size",
            is_deterministic=True,
            threshold=0.0,
            meaning=(
                "Multiply-accumulates of matrix products, convolutions, recurrent cells and"
                " attention in one forward pass of the cell's batch (half the FLOPs)."
            ),
        ),
        Metric(
            name="ttft",
            title="time to first token",
            unit="s",
            instrument="generate",
            meaning=(
                "From the request to its first token on the host: prefill and the choice of that token (TTFT)."
            ),
        ),
        Metric(
            name="prefill",
            title="prefill",
            unit="s",
            instrument="generate",
            meaning=(
                "Forward pass over the prompt, behind what the cache holds, with logits of its last token alone."
            ),
        ),
        Metric(
            name="prefill_rate",
            title="prefill rate",
            unit="1/s",
            instrument="generate",
            direction="higher",
            derived_from="prefill",
            meaning="Tokens of the prompt, of all samples of the batch, over the median prefill.",
        ),
        Metric(
            name="itl",
            title="inter-token latency",
            unit="s",
            instrument="generate",
            meaning=(
                "From one generated token to the next: a step and the choice of its token (ITL); without the first one."
            ),
        ),
        Metric(
            name="decode_rate",
            title="decode rate",
            unit="1/s",
            instrument="generate",
            direction="higher",
            derived_from="itl",
            meaning=(
                "Tokens per second of one user: 1 over the median latency between tokens; each sample of a batch is"
                " a user."
            ),
        ),
        Metric(
            name="kv_bytes_per_token",
            title="cache per token",
            unit="B",
            instrument="generate",
            is_deterministic=True,
            threshold=0.0,
            meaning="Bytes of keys and values of one token of one sample, counted on the cache's tensors.",
        ),
        Metric(
            name="kv_cache",
            title="cache",
            unit="B",
            instrument="generate",
            is_deterministic=True,
            meaning="Bytes of keys and values of the whole batch after the request's last token.",
        ),
        Metric(
            name="generation_peak",
            title="peak in generation",
            unit="B",
            instrument="generate",
            meaning=(
                "How far resident memory (on a GPU: allocated bytes) rose while the context and a prompt were read"
                " and the first tokens decoded: the cache is in it, the weights are not."
            ),
        ),
        Metric(
            name="training_step",
            title="training step",
            unit="s",
            instrument="training",
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
            direction="higher",
            derived_from="training_step",
            meaning="Samples of that batch over the median training step.",
        ),
        Metric(
            name="loading",
            title="loading",
            unit="1/s",
            instrument="dataloader",
            direction="higher",
            meaning="Samples per second that the data loader hands over, by its number of workers.",
        ),
        Metric(
            name="train_step",
            title="step",
            unit="s",
            instrument=TRAIN,
            meaning=(
                "Wall time of one optimizer step of a brief training on the record's batch, waiting for data"
                " included; no measurement of speed: other work may run beside it."
            ),
        ),
        Metric(
            name="train_wait",
            title="waiting",
            unit="s",
            instrument=TRAIN,
            meaning="Of it, waiting for data.",
        ),
        Metric(
            name="train_peak_rss",
            title="peak RSS in training",
            unit="B",
            instrument=TRAIN,
            meaning="How far resident memory rose above its level at the beginning of the training.",
        ),
        Metric(
            name="train_cuda_allocated",
            title="peak allocated in training",
            unit="B",
            instrument=TRAIN,
            meaning="Most bytes that tensors held on the GPU at once during training.",
        ),
        Metric(
            name="parallel_step",
            title="parallel step",
            unit="s",
            instrument=PARALLEL,
            meaning="Wall time of one optimizer step on several processes together.",
        ),
        Metric(
            name="quantized_bytes",
            title="quantized",
            unit="B",
            instrument=QUANTIZE,
            is_deterministic=True,
            meaning="Bytes of the quantized graph, or of the quantized module's weights.",
        ),
        Metric(
            name="onnx_bytes",
            title="ONNX file",
            unit="B",
            instrument=EXPORT,
            is_deterministic=True,
            threshold=0.0,
            meaning="Bytes of the saved ONNX graph, external data included.",
        ),
        Metric(
            name="onnx_nodes",
            title="ONNX nodes",
            unit="1",
            instrument=EXPORT,
            direction="none",
            is_deterministic=True,
            threshold=0.0,
            meaning="Nodes of the saved ONNX graph, those in subgraphs and functions included.",
        ),
    )
}
