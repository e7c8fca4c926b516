"""Worker side. Where the time of a decoded token goes, by operator: the reason for a decode below the bandwidth."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from bench.instruments.generation_rounds import greedy
from suite.axes import is_accelerator
from suite.generation.decoder import Decoder

WARM: Final = 3
STEPS: Final = 8
"""Tokens decoded before and while operators are timed."""
MOST_STEPS: Final = WARM + STEPS + 1
"""Tokens that a cache needs room for behind the prompt."""


def torch_operators(decoder: Decoder, device: str, ids: Tensor) -> dict[str, float]:
    """Return operator -> its own seconds per token decoded behind ids [batch, n]; the profiler's cost is in them."""
    from torch.profiler import ProfilerActivity, profile

    step = _warmed(decoder, ids)
    on_gpu = is_accelerator(device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        for _ in range(STEPS):
            step()
    found = {}
    for event in profiler.key_averages():
        micros = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if micros > 0:
            found[event.key] = micros * 1e-6 / STEPS
    return found


def session_operators(opens: Callable[[str], tuple[Any, Decoder]], ids: Tensor) -> dict[str, float]:
    """Return the same of ONNX Runtime's operators; `opens(prefix)` opens a session that writes what it times, and its
    decoder.
    """
    with tempfile.TemporaryDirectory(prefix="vitals-") as folder:
        session, decoder = opens(str(Path(folder, "decode")))
        step = _warmed(decoder, ids)
        for _ in range(STEPS):
            step()
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            operator = str(event.get("args", {}).get("op_name") or event["name"])
            taken[event["name"], operator].append(event["dur"] * 1e-6)
    found: dict[str, float] = defaultdict(float)
    for (_, operator), seconds in taken.items():
        found[operator] += sum(seconds[-STEPS:]) / STEPS  # a prefill and the warm steps came before
    return dict(found)


def _warmed(decoder: Decoder, ids: Tensor) -> Callable[[], None]:
    """Return what decodes one token, after a prefill and the warm ones."""
    logits, state = decoder.read(ids, None)
    token = [greedy(logits)]

    def step() -> None:
        token[0] = greedy(decoder.step(token[0], state))

    for _ in range(WARM):
        step()
    return step
