"""Speedups of a life's states over the trained model in eager PyTorch, and their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.paired_ratio import paired_ratio
from bench.stats import median, percentile
from bench.summary.elements import Timing
from bench.summary.lifecycle_records import MASKED, Clock, Ratio, State
from bench.summary.model import Comparison, Lane, Row
from bench.summary.numbers import durations, ratio_ends
from suite.axes import (
    COMPILED,
    EAGER,
    ORIGINAL,
    PRUNE,
    PRUNED,
    QUANTIZE,
    REFERENCE,
    TRAINED,
    VARIANTS,
    root_of,
)
from suite.record import Record
from suite.results.measuring import PairedArm
from suite.results.prune import PruneResult
from suite.results.quantize import QuantizeResult

Records = Mapping[tuple[str, str], Record]
"""(step, variant) -> record of one life."""

OTHER: Final = 2.0
"""Ratio above which a latency must be of another batch: machines drift by tenths between two processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTimings:
    """Timings that one stage took alternately in one process: arm -> seconds."""

    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    eager: str = ""
    """Arm of the stage's starting point in eager PyTorch; empty if none was timed."""
    is_starved: bool = False
    """Whether the machine was so busy that no ratio can be told from them."""
    like_for_like: str = ""
    """Arm of the starting point in float on the backend of the result."""

    def clock(self, arm: str) -> Clock | None:
        """Return the arm's median with its interval, or None if it was not timed."""
        found = percentile(self.samples.get(arm, ()), 0.5)
        if found is None:
            return None
        return Clock(p50=found.value, low=found.low, high=found.high, num_samples=found.num_samples)

    def ratio(self, arm: str, over: str = "") -> Ratio | None:
        """Return the speedup over that arm (the eager one if empty), from neighbouring samples."""
        before, after = self.samples.get(over or self.eager, ()), self.samples.get(arm, ())
        if not before or len(before) != len(after):
            return None
        found = paired_ratio(
            PairedArm(cell=over, seconds=tuple(before)), PairedArm(cell=arm, seconds=tuple(after))
        )
        if found is None or self.is_starved:
            return Ratio(value=median_ratio(before, after), low=None, high=None, is_paired=True)
        return Ratio(value=found.value, low=found.low, high=found.high, is_paired=True)


def paired_timings_of(record: Record) -> PairedTimings:
    """Return the timings in the record of a stage; no arms if it has none."""
    result = record.result
    own = result if isinstance(result, (PruneResult, QuantizeResult)) else PruneResult()
    raw, is_starved = own.latency, own.is_starved
    samples = {name: values for name, values in raw.items() if durations(values)}
    if record.step == PRUNE:
        return PairedTimings(samples=samples, is_starved=is_starved, eager=TRAINED)
    # Two floats: the plain module, and compiled like the result.
    eager, alike = ("float", COMPILED) if COMPILED in samples else (EAGER, "float")
    return PairedTimings(
        samples=samples,
        is_starved=is_starved,
        eager=eager if eager in samples else "",
        like_for_like=alike,
    )


def clock_of(timing: Timing) -> Clock:
    """Return the benchmark's latency without its samples."""
    return Clock(p50=timing.p50, low=timing.low, high=timing.high, num_samples=timing.num_samples)


def median_ratio(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the median of the ratios of neighbouring samples."""
    return median([a / b for a, b in zip(before, after, strict=True)])


def compared(states: Sequence[State], records: Records, rows: Mapping[str, Row]) -> list[State]:
    """Return the states with their ratio to the trained model in eager PyTorch, quantized ones also with that to the
    float state that they were made from.

    The benchmark's turns come first, then those of the stage, then medians of two processes.
    """
    reference, is_benched = _reference(states, rows)
    names = [name for name in (TRAINED, ORIGINAL) if name in rows]
    first = rows[names[0]].lane(REFERENCE) if names else None
    is_quiet = first is None or first.has_known_medians
    prune = records.get((PRUNE, PRUNED))
    pruning = paired_timings_of(prune).ratio(PRUNED) if prune else None
    macs = next((s.macs for s in states if s.name in (TRAINED, ORIGINAL) and s.macs), None)
    found = []
    for state in states:
        ratio: Ratio | None = None
        row = rows.get(state.name)
        lane = row.lane(state.backend) if row else None
        if (state.name, state.backend) == (TRAINED, REFERENCE):
            ratio = Ratio(value=1.0, low=1.0, high=1.0, is_paired=True) if reference else None
        elif lane is not None and (pair := _benched(state, lane)) is not None:
            ratio = _ratio(pair)
        elif not (is_benched and lane is not None and lane.timing is not None):
            ratio = _in_turns(state, records, pruning)
        if ratio is None and reference and state.latency:
            is_known = is_quiet and (lane is None or lane.has_known_medians)
            ratio = _across(reference, state.latency, is_known=is_known)
        left = macs / state.macs if macs and state.macs else None
        found.append(
            replace(
                state,
                ratio=ratio,
                like_for_like=_like_for_like(state, lane, records),
                macs_ratio=left,
                is_other_batch=_is_other_batch(state.latency, ratio, reference),
            )
        )
    return found


def _benched(state: State, lane: Lane) -> Comparison | None:
    """Return the benchmark's comparison with the trained model in eager PyTorch; of what was made from the model as
    built, with that, which is as fast.
    """
    return lane.against(root_of(state.name), REFERENCE) if state.name in VARIANTS else None


def _like_for_like(state: State, lane: Lane | None, records: Records) -> Ratio | None:
    """Return the ratio of a quantized state to the float state that it was made from, on the same backend."""
    row = VARIANTS.get(state.name)
    if row is None or row.stage != QUANTIZE:
        return None
    if lane is not None and (pair := lane.against(row.parent, state.backend)) is not None:
        return _ratio(pair)
    record = records.get((QUANTIZE, state.name))
    arms = paired_timings_of(record) if record else PairedTimings()
    return arms.ratio("quantized", over=arms.like_for_like) if arms.like_for_like else None


def _ratio(pair: Comparison) -> Ratio:
    return Ratio(value=pair.ratio, low=pair.low, high=pair.high, is_paired=True)


def _is_other_batch(own: Clock | None, ratio: Ratio | None, reference: Clock | None) -> bool:
    """Return whether a latency differs too much from the reference's times its own ratio to be of the same batch."""
    if own is None or ratio is None or reference is None:
        return False
    expected = reference.p50 / ratio.value
    return not 1 / OTHER < own.p50 / expected < OTHER


def _reference(states: Sequence[State], rows: Mapping[str, Row]) -> tuple[Clock | None, bool]:
    """Return the clock of the trained model in eager, or of the model as built, which is as fast; and whether the
    benchmark timed it.
    """
    for name in (TRAINED, ORIGINAL):
        lane = rows[name].lane(REFERENCE) if name in rows else None
        if lane is not None and lane.timing is not None:
            return clock_of(lane.timing), True
    found = (s.latency for s in states if (s.name, s.backend) == (TRAINED, REFERENCE))
    return next(found, None), False


def _in_turns(state: State, records: Records, pruning: Ratio | None) -> Ratio | None:
    """Return the ratio from the alternating timings in the stage's own process; chained over pruning if that came
    first.
    """
    if state.name == MASKED or (state.name, state.backend) == (PRUNED, REFERENCE):
        prune = records.get((PRUNE, PRUNED))
        return paired_timings_of(prune).ratio(state.name) if prune else None
    for (step, variant), record in records.items():
        if step != QUANTIZE or variant not in VARIANTS or record.cell.backend != state.backend:
            continue
        arms, parent = paired_timings_of(record), VARIANTS[variant].parent
        arm = {variant: "quantized", parent: arms.like_for_like}.get(state.name)
        ratio = arms.ratio(arm) if arm else None
        if ratio is None:
            continue
        return ratio if parent == TRAINED else _chained(pruning, ratio)
    return None


def _chained(first: Ratio | None, second: Ratio) -> Ratio | None:
    if first is None:
        return None
    ends = (first.low, first.high, second.low, second.high)
    low = high = None
    if all(ends):
        low, high = (first.low or 0) * (second.low or 0), (first.high or 0) * (second.high or 0)
    return Ratio(value=first.value * second.value, low=low, high=high, is_paired=False)


def _across(reference: Clock, own: Clock, *, is_known: bool) -> Ratio:
    """Return the ratio of two processes, with the worst case of both intervals; without one if not known."""
    low, high = ratio_ends(reference, own) if is_known else (None, None)
    return Ratio(value=reference.p50 / own.p50, low=low, high=high, is_paired=False)
