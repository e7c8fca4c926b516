"""Advice on generation: which backend and mode to ship, for latency per token and for throughput; pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.summary.generation import Generated, GeneratedMode, GeneratedPoint
from bench.summary.model import Row

MOST_PERPLEXITY: Final = 1.05
"""Perplexity over that of float weights up to which weights in fewer bits are recommended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A backend's mode at one depth and batch, with its rate."""

    row: Row
    backend: str
    mode: GeneratedMode
    point: GeneratedPoint
    rate: float
    """Tokens per second: of one user, or of the whole batch."""
    reference: float | None
    """The same rate of the reference backend's first mode; None if that is not known."""
    perplexity: float | None
    """Over that of the first mode; None where one of them is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationAdvice:
    """What to ship of one model."""

    model: str
    latency: Choice
    """Fastest for one user."""
    rivals: tuple[Choice, ...]
    """Others whose interval overlaps that of the fastest."""
    throughput: Choice
    """Most tokens per second of all users of a batch together."""
    num_choices: int
    """Backends, modes and batches among which it was chosen."""
    refused: tuple[Choice, ...]
    """Faster ones whose perplexity is too high."""


def generation_advice(rows: Sequence[Row], reference: str) -> tuple[GenerationAdvice, ...]:
    """Return one advice per model, size, device and dtype, at the shallowest depth; `reference` is the backend that
    rates are compared with.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.model, row.size, row.device, row.variant), []).append(row)
    found = (_advice(group, reference) for group in groups.values())
    return tuple(advice for advice in found if advice is not None)


def _advice(rows: Sequence[Row], reference: str) -> GenerationAdvice | None:
    choices = [choice for row in rows for choice in _choices(row, reference)]
    good = [c for c in choices if _holds(c)]
    if not good:
        return None
    singles = [c for c in good if c.row.batch == min(one.row.batch for one in good)]
    latency = max(singles, key=lambda c: c.rate)
    throughput = max(good, key=lambda c: c.rate * c.row.batch)
    refused = (c for c in choices if c.perplexity and not _holds(c) and c.rate > latency.rate)
    return GenerationAdvice(
        model=latency.row.model,
        latency=latency,
        rivals=tuple(c for c in singles if c is not latency and _overlap(c, latency)),
        throughput=throughput,
        num_choices=len(choices),
        refused=tuple(refused),
    )


def _choices(row: Row, reference: str) -> Iterator[Choice]:
    """Yield every mode that was decoded, at the row's shallowest depth."""
    held = [(lane.backend, lane.generation) for lane in row.lanes if lane.generation is not None]
    depths = [p.depth for _, found in held for p in found.points if p.decode_rate is not None]
    first = {backend: _first(found, min(depths)) for backend, found in held if depths}
    base = first.get(reference)
    for backend, found in held:
        for point in found.points:
            if point.depth != min(depths) or point.decode_rate is None:
                continue
            mode = found.mode_of(point)
            exact = found.mode_of(found.points[0]).perplexity
            yield Choice(
                row=row,
                backend=backend,
                mode=mode,
                point=point,
                rate=point.decode_rate.value,
                reference=base.decode_rate.value if base and base.decode_rate else None,
                perplexity=mode.perplexity / exact if mode.perplexity and exact else None,
            )


def _first(found: Generated, depth: int) -> GeneratedPoint | None:
    """Return the point of the first mode that was decoded at that depth."""
    return next(
        (p for p in found.points if p.depth == depth and p.decode_rate and not p.mode), None
    )


def _holds(choice: Choice) -> bool:
    """Return whether the mode says what the float weights say: by its perplexity, or, without one, its logits."""
    if choice.perplexity is not None:
        return choice.perplexity <= MOST_PERPLEXITY
    agreed = choice.mode.agreement
    return agreed is None or agreed.is_right


def _overlap(one: Choice, other: Choice) -> bool:
    a, b = one.point.decode_rate, other.point.decode_rate
    if a is None or b is None or None in (a.low, a.high, b.low, b.high):
        return True
    return bool(a.high >= b.low and b.high >= a.low)  # type: ignore[operator]
