"""Choice: the lane to ship under limits, what cannot be told apart from it, and why the others are left out.

A pure function of the candidates and of the turns of a search.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.halving import COST, MOST_VOID, SLOWER, is_void, ratio_of, speeds
from bench.instruments.results import SearchResult
from bench.paired_ratio import PairedRatio, usable_turns
from bench.stats import Estimate, percentile
from bench.summary.advice import Limits
from bench.summary.variants import pareto_frontier
from bench.tune.lanes import Candidate
from suite.results.measuring import SearchedArm

PICK, TIE, OUT = "pick", "tie", "left out"
"""Places of a candidate in a choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A candidate with its speed and its place."""

    candidate: Candidate
    ratio: PairedRatio | None = None
    """How many times as fast as eager it is, per sample; None if that is not known."""
    latency: Estimate | None = None
    """Median seconds of a call, with its 95% interval."""
    num_turns: int = 0
    num_void: int = 0
    against_pick: PairedRatio | None = None
    """How many times as fast as the choice it is, per sample."""
    place: str = OUT
    is_on_front: bool = False
    """Whether no other is at least as good in speed, quality and size, and better in one."""
    kind: str = ""
    """Why it is left out, in a word: unavailable ..., limit, void, slower, few, lost, not_reached."""
    limits: tuple[str, ...] = ()
    """Limits that it breaks: drop, size, latency."""
    left_after: int = 0
    """Round after which it left the search; 0 = it stayed to the end."""

    @property
    def per_sample(self) -> float | None:
        """Median seconds per sample."""
        return self.latency.value / self.candidate.cell.batch if self.latency else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to ship."""

    limits: Limits
    pick: Ranked | None
    ties: tuple[Ranked, ...]
    """Others within the limits whose interval against the choice holds 1."""
    front: tuple[Ranked, ...]
    """Pareto-optimal lanes by latency, quality and size, the fastest first; with those that break a limit."""
    left_out: tuple[Ranked, ...]
    nearest: Ranked | None
    """If nothing is within the limits: what misses them by the least."""
    reference: str
    """Label of the eager lane with which speeds are compared; empty if eager's figures are void, or it did not run."""
    is_tied_with_eager: bool = False
    """Whether eager is the choice because nothing is surely faster."""

    @property
    def every(self) -> tuple[Ranked, ...]:
        """All candidates."""
        return (*((self.pick,) if self.pick else ()), *self.ties, *self.left_out)


def choose(candidates: Sequence[Candidate], found: SearchResult, limits: Limits) -> Choice:
    """Return the choice under `limits` from what the search has measured.

    The fastest within the limits is chosen; eager if the fastest cannot be told from it. Nothing is chosen if eager's
    own figures are void: there is then nothing to be faster than.
    """
    arms = {arm.label: arm for arm in found.arms}
    anchors = anchors_of(candidates, arms)
    values = speeds(found.arms, anchors)
    reference = max(
        (label for label in anchors if label in values and not arms[label].left_because),
        key=lambda label: values[label],
        default="",
    )
    ranked = [_ranked(one, arms, reference, found, limits) for one in candidates]
    fit = [
        one
        for one in ranked
        if reference and not one.kind and not one.limits and one.candidate.label in values
    ]
    best = max(fit, key=lambda one: values[one.candidate.label], default=None)
    ties: list[Ranked] = []
    if best is not None:
        ties = [one for one in fit if one is not best and _may_be_as_fast(one, best, arms)]
    eager = next((one for one in ties if one.candidate.label == reference), None)
    is_tied = eager is not None and best is not None and best.candidate.label not in anchors
    pick = eager if is_tied else best
    if is_tied and best is not None and eager is not None:
        ties = [best, *(one for one in ties if one is not eager)]
    placed = [_placed(one, pick, ties, arms) for one in ranked]
    on_front = _front(placed)
    placed = [replace(one, is_on_front=one.candidate.label in on_front) for one in placed]
    return Choice(
        limits=limits,
        pick=next((one for one in placed if one.place == PICK), None),
        ties=_by_speed(one for one in placed if one.place == TIE),
        front=_by_speed(one for one in placed if one.is_on_front),
        left_out=_by_speed(one for one in placed if one.place == OUT),
        nearest=None if pick else _nearest(placed, limits),
        reference=reference,
        is_tied_with_eager=is_tied,
    )


def anchors_of(candidates: Sequence[Candidate], labels: Collection[str]) -> list[str]:
    """Return the labels, of these, of eager's lanes; without any, of the lane that was the reference of quality: a
    model that is a graph has no module.
    """
    timed = [one for one in candidates if one.label in labels]
    eager = [one.label for one in timed if one.is_eager]
    first = [one for one in timed if one.cell.dtype == "float32" and one.cost and not one.cost.drop]
    return eager or [one.label for one in first if one.cell == first[0].cell]


def limits_broken(candidate: Candidate, limits: Limits) -> tuple[str, ...]:
    """Return the limits that the candidate breaks whatever its speed is: drop, size. What is not known breaks them."""
    broken = []
    if candidate.cost is None or not candidate.cost.drop <= limits.max_drop:
        broken.append("drop")
    if (
        limits.max_bytes is not None
        and not (candidate.num_bytes or float("inf")) <= limits.max_bytes
    ):
        broken.append("size")
    return tuple(broken)


def _ranked(
    one: Candidate,
    arms: Mapping[str, SearchedArm],
    reference: str,
    found: SearchResult,
    limits: Limits,
) -> Ranked:
    """Return the candidate with what is known of its speed, and why that rules it out."""
    if one.reason:
        return Ranked(candidate=one, kind=one.outcome)
    arm = arms.get(one.label)
    if arm is None or not arm.turns.seconds:
        error = found.lost.get(one.label, "")
        kind = "lost" if error else "not_reached"
        return Ranked(candidate=replace(one, reason=error or "the search ended before"), kind=kind)
    latency = percentile(usable_turns(arm.turns), 0.5)
    ratio = ratio_of(arms[reference], arm) if reference else None
    row = Ranked(
        candidate=one,
        ratio=ratio,
        latency=latency,
        num_turns=len(arm.turns.seconds),
        num_void=len(arm.turns.void),
        left_after=arm.left_after,
    )
    if is_void(arm) or latency is None:
        return replace(row, kind="void", ratio=None, limits=limits_broken(one, limits))
    broken = limits_broken(one, limits)
    if limits.max_seconds is not None and latency.value > limits.max_seconds:
        broken = (*broken, "latency")
    kind = "limit" if broken else SLOWER if arm.left_because in (SLOWER, COST) else ""
    if not kind and ratio is None:
        kind = "few"
    return replace(row, kind=kind, limits=broken)


def _may_be_as_fast(one: Ranked, best: Ranked, arms: Mapping[str, SearchedArm]) -> bool:
    ratio = ratio_of(arms[best.candidate.label], arms[one.candidate.label])
    return ratio is None or ratio.high >= 1


def _placed(
    one: Ranked, pick: Ranked | None, ties: Sequence[Ranked], arms: Mapping[str, SearchedArm]
) -> Ranked:
    """Return the row with its place, and its speed against the choice."""
    label = one.candidate.label
    if pick is None or label not in arms:
        return one
    if label == pick.candidate.label:
        return replace(one, place=PICK)
    against = None if one.kind == "void" else ratio_of(arms[pick.candidate.label], arms[label])
    if any(label == tie.candidate.label for tie in ties):
        return replace(one, place=TIE, against_pick=against)
    return replace(one, kind=one.kind or SLOWER, against_pick=against)


def _front(ranked: Sequence[Ranked]) -> set[str]:
    """Return the labels of the Pareto-optimal lanes; of several thread counts of one lane the fastest counts."""
    known = [
        one
        for one in ranked
        if one.kind != "void"
        and one.per_sample is not None
        and one.candidate.cost is not None
        and one.candidate.num_bytes is not None
    ]
    points = [
        (
            -(one.per_sample or 0.0),
            -(one.candidate.cost.drop if one.candidate.cost else 0.0),
            -float(one.candidate.num_bytes or 0),
        )
        for one in known
    ]
    flags = pareto_frontier(points)
    return {one.candidate.label for one, is_on in zip(known, flags, strict=True) if is_on}


def _nearest(ranked: Sequence[Ranked], limits: Limits) -> Ranked | None:
    """Return the lane whose worst excess over a limit, as a share of the limit, is the smallest."""
    known = [one for one in ranked if one.kind == "limit" and one.candidate.cost]
    return min(known, key=lambda one: _excess(one, limits), default=None)


LEAST_DROP: Final = 0.1
"""Points that a limit of less counts as, so that the excess over a limit of nothing has a size."""


def _excess(one: Ranked, limits: Limits) -> float:
    drop = one.candidate.cost.drop if one.candidate.cost else float("inf")
    parts = [(drop - limits.max_drop) / max(abs(limits.max_drop), LEAST_DROP)]
    if limits.max_bytes is not None and one.candidate.num_bytes:
        parts.append(one.candidate.num_bytes / max(limits.max_bytes, 1.0) - 1)
    if limits.max_seconds is not None and one.latency:
        parts.append(one.latency.value / max(limits.max_seconds, 1e-9) - 1)
    return max(parts)


def _by_speed(rows: Iterable[Ranked]) -> tuple[Ranked, ...]:
    return tuple(sorted(rows, key=lambda one: one.per_sample or float("inf")))


def is_busy(found: SearchResult) -> bool:
    """Return whether most of all turns were disturbed: the machine had other work."""
    turns = sum(len(arm.turns.seconds) for arm in found.arms)
    return turns > 0 and sum(len(arm.turns.void) for arm in found.arms) > MOST_VOID * turns
