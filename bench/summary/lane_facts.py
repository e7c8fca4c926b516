"""How a lane ran, whether it answers like eager, and what compiling it cost: from the records of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.summary.numbers import finite
from suite.record import Record
from suite.results.measuring import (
    CompilationResult,
    FidelityResult,
    GraphBreak,
    NodeShare,
    Recompilation,
    RunResult,
)

STEPS: Final = ("latency", "memory", "fidelity", "coldstart", "compilation")
"""Steps that open the lane's model, the most telling first."""
COMPILE: Final = ("compile_cold", "compile_warm", "compile_cached")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What ran the model, in its own words."""

    library: str = ""
    precision: str = ""
    """What the library says it computes in."""
    precisions: Mapping[str, int] = field(default_factory=dict)
    """Precision -> number of products (convolutions, matrix products, recurrent layers) in it."""
    assigned: Mapping[str, int] = field(default_factory=dict)
    """ONNX Runtime's execution provider -> number of nodes."""
    emulated: str = ""
    """What of the dtype the CPU has no instructions for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How far the lane's answers are from those of eager float32."""

    outcome: str
    kind: str
    """Type that they are judged for: a dtype, or int8."""
    judge: str
    relative_error: float | None
    times_eager: float | None
    """In float32: the error against float64 over eager's own."""
    agreement: float | None
    """Share of the rows whose largest element is at eager's place, 0 to 1."""
    holds: bool | None
    """Whether they are as exact as the type allows; None if nothing was claimed."""
    evidence: str
    fallen_back: tuple[NodeShare, ...] = ()
    """Nodes that another provider ran than the one that was asked for, the longest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What torch.compile took and made; seconds, one fresh process each."""

    cold: float | None
    """Without a cache."""
    warm: float | None
    """Again in the same process, after all but its cache was forgotten."""
    cached: float | None
    """In a new process, from the cache on disk."""
    num_graphs: int | None
    breaks: tuple[GraphBreak, ...]
    recompilations: tuple[Recompilation, ...]
    given_up: tuple[str, ...] = ()
    """Places that reached the limit of compiled versions, and run in Python since."""


def ran_of(records: Iterable[Record]) -> Ran | None:
    """Return how the cell of these records ran; None if no step of it has opened the model."""
    found = {r.step: r.result for r in records if isinstance(r.result, (RunResult, FidelityResult))}
    result = next((found[s] for s in STEPS if isinstance(found.get(s), RunResult)), None)
    if not isinstance(result, RunResult):
        return None
    own = Ran(
        library=result.library,
        precision=result.precision,
        precisions=result.precisions,
        assigned=result.assigned,
        emulated=result.emulated,
    )
    return own if own != Ran() else None


def likeness_of(records: Iterable[Record]) -> Likeness | None:
    """Return the result of the step `fidelity`; None if it did not run to its end."""
    record = next((r for r in records if isinstance(r.result, FidelityResult)), None)
    if record is None or not isinstance(record.result, FidelityResult):
        return None
    own = record.result
    return Likeness(
        outcome=record.outcome.value,
        kind=own.kind,
        judge=own.judge,
        relative_error=finite(own.relative_error),
        times_eager=finite(own.times_eager),
        agreement=finite(own.argmax_agreement),
        holds=all(claim.holds for claim in own.claims) if own.claims else None,
        evidence="; ".join(claim.evidence for claim in own.claims),
        fallen_back=own.fallen_back,
    )


def compiled_of(records: Sequence[Record]) -> Compiled | None:
    """Return the result of the step `compilation`; None if it did not run to its end."""
    record = next((r for r in records if isinstance(r.result, CompilationResult)), None)
    if record is None or not isinstance(record.result, CompilationResult):
        return None
    taken = {m.metric: m.samples[0] for m in record.measurements if m.samples}
    cold, warm, cached = (finite(taken.get(metric)) for metric in COMPILE)
    return Compiled(
        cold=cold,
        warm=warm,
        cached=cached,
        num_graphs=record.result.num_graphs,
        breaks=record.result.breaks,
        recompilations=record.result.recompilations,
        given_up=record.result.given_up,
    )
