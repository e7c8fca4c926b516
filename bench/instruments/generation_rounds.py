"""Worker side. Requests to a decoder, timed: prefills and tokens at every prompt and depth."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from torch import Tensor

from bench.instruments.garbage import paused_garbage_collector
from bench.instruments.generation_points import Points
from bench.instruments.latency import settings
from bench.instruments.peak_meter import peak_meter
from bench.instruments.rounds import rounds_wanted
from bench.instruments.sentinel import sentinel
from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.plan import Plan
from bench.stats import mad, median, relative_interval
from suite import units
from suite.generation.decoder import Decoder, State, copied, num_bytes
from suite.measurement import Measurement, MeasurementFacts, SentinelReadings
from suite.outcome import Outcome
from suite.process_memory import NotHereError
from suite.results.generate import GenerationPoint
from suite.worker.errors import outcome_of
from suite.worker.protocol import Emit

WARM_STEPS: Final = 3
"""Tokens decoded before anything is timed."""
SHARE_OF_MEMORY: Final = 0.8
"""Share of the free memory that a cache and its copy may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A decoder, and the text that it reads."""

    open: Callable[[int], Decoder]
    """Most tokens of a sample -> the decoder, whose cache has room for as many."""
    decoder: Decoder
    """The one in use."""
    ids: Tensor
    """[batch, tokens], as many as the longest request reads."""
    synchronize: Callable[[], None]
    device: str
    bytes_of: Callable[[int], int | None]
    """Tokens -> bytes of the cache by formula; None if it is not known."""
    free: Callable[[], int]
    """Bytes of memory that are free on the device; 0 = not known."""
    mode: str = ""
    """Kind of cache or format of the weights."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What was measured so far: it is kept when memory ends at a later depth."""

    measurements: list[Measurement] = field(default_factory=list)
    points: list[GenerationPoint] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def measure(
    reader: Reader,
    points: Points,
    plan: Plan,
    emit: Emit,
    *,
    is_short: bool = False,
    clock: Clock = CLOCK,
) -> Found:
    """Measure every point, the shallowest first; a depth for which memory does not suffice ends it with a reason.

    Raise the error of the first depth if it does not fit either.
    """
    found = Found(left_out=dict(points.left_out))
    for depth, prompts in points.depths.items():
        if reason := too_large(reader, depth + max(prompts) + points.num_new):
            if not found.points:
                raise MemoryError(f"depth {depth}: {reason}")
            found.left_out[f"depth {depth}"] = reason
            break
        emit("phase", name=f"{reader.mode or 'depth'}_{depth}")
        try:
            here = replace(reader, decoder=reader.open(room_for(depth, prompts, points.num_new)))
            _measure_depth(here, depth, prompts, points.num_new, plan, is_short, clock, found)
        except (RuntimeError, MemoryError) as error:
            kind = outcome_of(type(error).__name__, str(error))
            if kind is not Outcome.OUT_OF_MEMORY or not found.points:
                raise
            line = str(error).strip().splitlines()[0] if str(error).strip() else "no memory left"
            found.left_out[f"depth {depth}"] = f"out of memory: {line}"
            break
    return found


def room_for(depth: int, prompts: Sequence[int], num_new: int) -> int:
    """Return the tokens that a cache needs for the longest request at a depth."""
    return depth + max(prompts) + num_new


def too_large(reader: Reader, tokens: int) -> str:
    """Return why a cache of so many tokens does not fit beside its copy; empty if it does, or nothing is known."""
    needed, free = reader.bytes_of(tokens), reader.free()
    if needed is None or not free or 2 * needed <= SHARE_OF_MEMORY * free:
        return ""
    return (
        f"out of memory: the cache of {tokens} tokens takes {units.num_bytes(needed)}, with the copy that every request"
        f" starts from twice that, and {units.num_bytes(free)} are free; next: a smaller --depth or --batch"
    )


def _measure_depth(
    reader: Reader,
    depth: int,
    prompts: Sequence[int],
    num_new: int,
    plan: Plan,
    is_short: bool,
    clock: Clock,
    found: Found,
) -> None:
    """Measure the prompts behind one depth; the first one is decoded, too."""
    held, peak = _warmed(reader, depth, prompts[0], found)
    for prompt in prompts:
        ids = read_at(reader, depth, prompt)
        before, read_sentinel = settings(), sentinel(clock)
        readings = [read_sentinel()]

        def first(ids: Tensor = ids) -> Answered:
            gc.collect()
            return answered(reader, ids, held, clock)

        with paused_garbage_collector():
            begun, stopped = take_prefills(first, plan, is_short=is_short, clock=clock)
            readings.append(read_sentinel())
            gaps: list[float] = []
            state = begun[-1].state
            if prompt == prompts[0]:
                gaps, state, stopped = _decoded(reader, first, begun[-1], num_new, plan, clock)
                readings.append(read_sentinel())
        facts = replace(
            before,
            plan=plan.name,
            stopped_because=stopped,
            sentinel=SentinelReadings(
                median=median(readings), mad=mad(readings), num=len(readings)
            ),
            prompt=prompt,
            depth=depth,
            mode=reader.mode,
            batch=len(ids),
        )
        if not (
            depth and reader.decoder.is_encoder_decoder
        ):  # there a step has begun it, no prompt
            found.measurements += [
                _measured("prefill", "s", [one.prefill for one in begun], facts),
                _measured("ttft", "s", [one.ttft for one in begun], facts),
            ]
        place = MeasurementFacts(prompt=prompt, depth=depth, mode=reader.mode, batch=len(ids))
        if gaps:
            found.measurements.append(_measured("itl", "s", gaps, facts))
            if peak is not None:
                found.measurements.append(_measured("generation_peak", "B", [peak], place))
        total = num_bytes(state)
        found.measurements.append(_measured("kv_cache", "B", [total], place))
        if not found.points:
            each = total / state.num_cached / len(ids)
            found.measurements.append(_measured("kv_bytes_per_token", "B", [each], place))
        found.points.append(
            GenerationPoint(
                prompt=prompt,
                depth=depth,
                num_decoded=num_new - 1 if gaps else 0,
                cache_bytes=total,
                formula_bytes=reader.bytes_of(state.num_cached),
                stopped_because=stopped,
                mode=reader.mode,
            )
        )


def _warmed(
    reader: Reader, depth: int, prompt: int, found: Found
) -> tuple[State | None, int | None]:
    """Read the context and one request behind it; return the context's state, None at depth 0, and the peak in bytes.

    The copy of the state that later requests start from is no part of a request, and is taken off its peak.
    """
    try:
        high: Callable[[], int] | None = peak_meter(reader.device)
    except NotHereError as error:
        found.absent["generation_peak"] = str(error)
        high = None
    held = context_at(reader, depth, prompt)
    reader.synchronize()
    reached = high() if high else 0
    begun = answered(reader, read_at(reader, depth, prompt), held, CLOCK)
    decoded(reader, begun, WARM_STEPS, CLOCK)
    spare = num_bytes(held) if held else 0
    return held, max(reached, high() - spare) if high else None


def context_at(reader: Reader, depth: int, prompt: int) -> State | None:
    """Return the state that requests at this depth start from: `depth` tokens read, None at depth 0.

    Behind an encoder the prompt is read first, and all but the last of the tokens decoded.
    """
    if not depth:
        return None
    if not reader.decoder.is_encoder_decoder:
        return reader.decoder.read(reader.ids[:, :depth], None)[1]
    _, state = reader.decoder.read(reader.ids[:, :prompt], None)
    if depth > 1:
        reader.decoder.step(reader.ids[:, prompt : prompt + depth - 1], state)
    return state


def read_at(reader: Reader, depth: int, prompt: int) -> Tensor:
    """Return the ids that a request at this depth reads: the prompt, or, behind an encoder, the last token of the
    context.
    """
    if depth and reader.decoder.is_encoder_decoder:
        return reader.ids[:, prompt + depth - 1 : prompt + depth]
    return reader.ids[:, depth : depth + prompt]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request up to its first token."""

    prefill: float
    """Seconds of the forward pass over the prompt."""
    ttft: float
    """Seconds until the host knew the first token."""
    token: Tensor
    """[batch, 1]."""
    state: State


def answered(reader: Reader, ids: Tensor, held: State | None, clock: Clock) -> Answered:
    """Read a prompt behind a copy of `held` (None = behind nothing) and choose the first token."""
    decoder = reader.decoder
    state = copied(held) if held is not None else None
    reader.synchronize()
    begin = clock()
    if state is None:
        logits, state = decoder.read(ids, None)
    else:
        logits = decoder.step(ids, state)
    reader.synchronize()
    read = clock()
    token = greedy(logits)
    return Answered(
        prefill=(read - begin) * NS, ttft=(clock() - begin) * NS, token=token, state=state
    )


def greedy(logits: Tensor) -> Tensor:
    """Return the most likely token [batch, 1], and wait until the host knows it: it shows it, and looks for the end."""
    token = logits.argmax(-1, keepdim=True)
    token.tolist()
    return token


def decoded(reader: Reader, begun: Answered, count: int, clock: Clock) -> list[float]:
    """Generate `count` more tokens after the first; return the seconds from each token to the next."""
    step, state, token = reader.decoder.step, begun.state, begun.token
    gaps = []
    last = clock()
    for _ in range(count):
        token = greedy(step(token, state))
        now = clock()
        gaps.append((now - last) * NS)
        last = now
    return gaps


def take_prefills(
    first: Callable[[], Answered], plan: Plan, *, is_short: bool, clock: Clock
) -> tuple[list[Answered], str]:
    """Answer until the interval on the time to the first token is narrow, or the plan's time is up; with the reason.

    Slow ones may take the plan's stretch to reach its fewest rounds, a glance (`is_short`) may not. Only the last state
    is kept.
    """
    taken: list[Answered] = []
    begin = clock() * NS
    while True:
        taken = [replace(one, state=None) for one in taken]  # type: ignore[arg-type]
        taken.append(first())
        elapsed = clock() * NS - begin
        if len(taken) >= plan.min_rounds:
            if relative_interval([one.ttft for one in taken]) <= plan.target_interval:
                return taken, "interval"
            if elapsed >= plan.cap_seconds:
                return taken, "time_cap"
        most = plan.cap_seconds * (1.0 if is_short else plan.cap_stretch)
        if elapsed + taken[-1].ttft > most and len(taken) < plan.min_rounds:
            return taken, "time_cap"


def _decoded(
    reader: Reader,
    first: Callable[[], Answered],
    begun: Answered,
    num_new: int,
    plan: Plan,
    clock: Clock,
) -> tuple[list[float], State, str]:
    """Decode whole requests until the interval on the latency between tokens is narrow, or the time is up."""
    begin = clock() * NS
    gaps = decoded(reader, begun, num_new - 1, clock)
    while True:
        elapsed = clock() * NS - begin
        is_narrow = (
            len(gaps) >= rounds_wanted(plan, median(gaps))
            and relative_interval(gaps) <= plan.target_interval
        )
        if is_narrow or elapsed >= plan.cap_seconds:
            return gaps, begun.state, "interval" if is_narrow else "time_cap"
        begun = first()
        gaps += decoded(reader, begun, num_new - 1, clock)


def _measured(
    metric: str, unit: str, values: Sequence[float], facts: MeasurementFacts
) -> Measurement:
    return Measurement(metric=metric, unit=unit, samples=tuple(map(float, values)), facts=facts)
