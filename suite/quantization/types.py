"""Worker side. The 8-bit types of activations and weights that are fast and exact on this CPU."""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suite.lifecycle import Quantization
from suite.quantization.errors import QuantizationError
from suite.results.quantize import EightBitTypes, TypeTrial

if TYPE_CHECKING:
    from numpy.typing import NDArray


SOURCE: Final = "https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html"

U8S8: Final = EightBitTypes(
    name="u8s8",
    activation="QUInt8",
    weight="QInt8",
    reason=f"VNNI and AMX multiply unsigned by signed bytes into 32 bits: fast, no saturation; {SOURCE}",
)
U8S7: Final = EightBitTypes(
    name="u8s7",
    activation="QUInt8",
    weight="QInt8",
    reduce_range=True,
    reason=(
        "without VNNI, pairs of products are added in 16 bits: 2 x 255 x 127 saturates, 2 x 255 x 64 does not;"
        f" {SOURCE}"
    ),
)
U8U8: Final = EightBitTypes(
    name="u8u8",
    activation="QUInt8",
    weight="QUInt8",
    reason=f"exact on every x86 CPU, by widening to 16 bits first, which is slower; {SOURCE}",
)
S8S8: Final = EightBitTypes(
    name="s8s8",
    activation="QInt8",
    weight="QInt8",
    reason=(
        "ARM's dot products multiply signed by signed bytes; on x86 only AVX-VNNI-INT8 does, elsewhere it is"
        f" emulated, slowly; {SOURCE}"
    ),
)
CANDIDATES: Final = (U8S8, U8S7, U8U8, S8S8)
"""The types that are measured if the CPU is unknown; among equally fast ones the first is chosen."""

EXACT: Final = frozenset({"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"})
"""Flags of /proc/cpuinfo, each of which means that products of bytes are summed in 32 bits."""

SATURATING: Final = frozenset({"avx2", "avx512bw"})
"""Flags of CPUs that sum byte products in 16 bits, unless one of EXACT is present."""

MARGIN: Final = 0.05
"""Share by which a candidate has to be faster than an earlier one."""


def chosen_types(flags: Collection[str], machine: str = "x86_64") -> EightBitTypes | None:
    """Return the types for a CPU with these flags; None if the flags do not determine them: measure then."""
    if machine.lower() in ("aarch64", "arm64"):
        return S8S8
    if EXACT.intersection(flags):
        return U8S8
    if SATURATING.intersection(flags):
        return U8S7
    return None


def types_here() -> EightBitTypes | None:
    """Return `chosen_types` of this machine."""
    return chosen_types(cpu_flags(), platform.machine())


def cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return the feature flags of the first CPU, as Linux names them; empty without that file (macOS, Windows)."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):  # x86, ARM
            return frozenset(value.split())
    return frozenset()


def measure_types(
    graph: Path,
    feeds: Sequence[Mapping[str, NDArray[Any]]],
    settings: Quantization,
    *,
    quantize: Callable[..., Any],
    candidates: Sequence[EightBitTypes] = CANDIDATES,
    rounds: int = 15,
    threads: int = 1,
) -> tuple[EightBitTypes, TypeTrial]:
    """Return the fastest of the candidates on the first of the feeds, and the median seconds of each.

    Each is quantized by `quantize` (with the signature of `quantize_static_graph`), calibrated on all feeds, and opened
    once; they run in turn, so that changes of the machine's speed affect all of them. Within MARGIN the earlier
    candidate wins.
    """
    from suite.quantization.sessions import open_quietly

    if not feeds or not candidates:
        raise QuantizationError(
            f"{graph.name}: measuring the types takes at least one feed and one candidate;"
            f" got {len(feeds)} and {len(candidates)}"
        )
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        sessions = {}
        for types in candidates:
            path = Path(folder) / f"{types.name}.onnx"
            quantize(graph, path, feeds, settings, types=types)
            sessions[types.name] = open_quietly(path, threads)
        seconds = _alternate(sessions, feeds[0], rounds)
    medians = {name: statistics.median(rows) for name, rows in seconds.items()}
    best = fastest(medians, MARGIN)
    trial = TypeTrial(seconds=medians, rounds=rounds, threads=threads, chosen=best)
    return next(types for types in candidates if types.name == best), trial


def fastest(seconds: Mapping[str, float], margin: float) -> str:
    """Return the first name, unless a later one is faster by more than `margin` (a share) than all before it."""
    names = iter(seconds)
    best = next(names)
    for name in names:
        if seconds[name] < seconds[best] * (1.0 - margin):
            best = name
    return best


def _alternate(
    sessions: Mapping[str, Any], feeds: Mapping[str, Any], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of every round, after one warm-up round."""
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for i in range(rounds + 1):
        for name, session in _turned(sessions.items(), i):
            begin = time.perf_counter()
            session.run(None, feeds)
            if i:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def _turned(items: Iterable[tuple[str, Any]], i: int) -> list[tuple[str, Any]]:
    """Return the items, reversed in every other round, so that none always runs after the same one."""
    return list(items)[:: -1 if i % 2 else 1]
