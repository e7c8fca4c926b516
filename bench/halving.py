"""Successive halving: which arms of a search leave after a round; pure functions of their turns.

Halving alone throws out the better half by chance when turns are noisy, so an arm leaves only if its interval says that
it is slower than the leader: in the slower half at 95%, in the faster half at 99%. What cannot be told apart stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from bench.paired_ratio import (
    LEAST_UNDISTURBED,
    PairedRatio,
    paired_ratio,
    usable_turns,
)
from bench.stats import median, percentile
from suite.results.measuring import PairedArm, SearchedArm

MOST_VOID: Final = 0.5
"""Share of disturbed turns above which an arm of several threads is void: its threads waited for a core, so its time
says nothing about this machine at rest. With one core taken, eager ResNet-18 on two threads took 848 ms, else 22."""
COSTLY: Final = 8.0
"""Times as slow as the leader that an arm leaves after GLANCE undisturbed turns: it would take most of the time."""
GLANCE: Final = 2
FIRST: Final = 4
"""Passes of the first round; the turns so far are doubled in each later one."""
LONGEST: Final = 16
"""Most passes of one round."""

SLOWER, LIMIT, COST = "slower", "limit", "cost"
"""Why an arm leaves: slower than the leader, over a limit, or so slow that telling how slow is dear."""


def overlap(reference: SearchedArm, own: SearchedArm) -> tuple[PairedArm, PairedArm]:
    """Return the turns of both arms in the passes that they share, in seconds per sample."""
    first = max(reference.first_pass, own.first_pass)
    return _per_sample(reference, first), _per_sample(own, first)


def _per_sample(arm: SearchedArm, first: int) -> PairedArm:
    """Return the arm's turns from pass `first` on."""
    skipped, turns = first - arm.first_pass, arm.turns
    return PairedArm(
        cell=turns.cell,
        seconds=tuple(seconds / arm.num_samples for seconds in turns.seconds[skipped:]),
        void=tuple(i - skipped for i in turns.void if i >= skipped),
        starved=tuple(i - skipped for i in turns.starved if i >= skipped),
    )


def ratio_of(
    reference: SearchedArm, own: SearchedArm, *, is_strict: bool = False
) -> PairedRatio | None:
    """Return how many times as fast as the reference an arm is, per sample; None with too few shared passes."""
    return paired_ratio(*overlap(reference, own), is_strict=is_strict)


def is_void(arm: SearchedArm) -> bool:
    """Return whether the arm's figures are void: several threads, and most of its turns were disturbed."""
    num = len(arm.turns.seconds)
    return arm.threads > 1 and num > 0 and len(arm.turns.void) > MOST_VOID * num


def yardstick(arms: Sequence[SearchedArm], anchors: Collection[str]) -> SearchedArm | None:
    """Return the anchor with the most undisturbed turns, the first of equals: what all arms are set against."""
    kept = [arm for arm in arms if arm.label in anchors]
    return max(kept, key=lambda arm: len(arm.turns.seconds) - len(arm.turns.void), default=None)


def speeds(arms: Sequence[SearchedArm], anchors: Collection[str]) -> dict[str, float]:
    """Return label -> times as fast as the yardstick, per sample; without arms that are void or have too few turns."""
    standard = yardstick(arms, anchors)
    if standard is None:
        return {}
    found = {
        arm.label: ratio_of(standard, arm) for arm in arms if not is_void(arm) and arm.turns.seconds
    }
    return {label: ratio.value for label, ratio in found.items() if ratio is not None}


def leader(
    arms: Sequence[SearchedArm], anchors: Collection[str], contenders: Collection[str]
) -> SearchedArm | None:
    """Return the fastest contender; None if nothing has enough turns."""
    known = {label: v for label, v in speeds(arms, anchors).items() if label in contenders}
    best = max(known, key=lambda label: known[label], default=None)
    return next((arm for arm in arms if arm.label == best), None)


def leaving(
    arms: Sequence[SearchedArm],
    anchors: Collection[str],
    contenders: Collection[str],
    *,
    max_seconds: float | None = None,
) -> dict[str, str]:
    """Return label -> why it leaves, of the arms that are still there. One anchor always stays, and the leader."""
    found = {
        arm.label: LIMIT
        for arm in arms
        if arm.label not in anchors
        and (arm.label not in contenders or _is_over(arm, max_seconds))
        and len(usable_turns(arm.turns)) >= LEAST_UNDISTURBED
    }
    known = speeds(arms, anchors)
    first = leader(arms, anchors, [name for name in contenders if name not in found])
    if first is None:
        return found
    ranked = sorted(
        (arm for arm in arms if arm.label in known and arm.label not in {*found, *anchors}),
        key=lambda arm: -known[arm.label],
    )
    for place, arm in enumerate(ranked):
        is_in_faster_half = place < (len(ranked) + 1) // 2
        ratio = ratio_of(first, arm, is_strict=is_in_faster_half)
        if arm is not first and ratio is not None and ratio.high < 1:
            found[arm.label] = SLOWER
    return {**found, **_surplus(arms, anchors, known)}


def _is_over(arm: SearchedArm, max_seconds: float | None) -> bool:
    """Return whether the arm surely takes longer than the limit."""
    middle = percentile(usable_turns(arm.turns), 0.5)
    if max_seconds is None or middle is None or is_void(arm):
        return False
    low = middle.low if middle.low is not None else min(usable_turns(arm.turns))
    return low > max_seconds


def _surplus(
    arms: Sequence[SearchedArm], anchors: Collection[str], known: Mapping[str, float]
) -> dict[str, str]:
    """Return the anchors that are surely slower than the fastest anchor."""
    own = [arm for arm in arms if arm.label in anchors and arm.label in known]
    best = max(own, key=lambda arm: known[arm.label], default=None)
    ratios = {
        arm.label: ratio_of(best, arm, is_strict=True) for arm in own if best is not arm and best
    }
    return {label: SLOWER for label, ratio in ratios.items() if ratio and ratio.high < 1}


def costly(
    arms: Sequence[SearchedArm], anchors: Collection[str], contenders: Collection[str]
) -> dict[str, str]:
    """Return label -> COST of the arms whose undisturbed turns all took COSTLY times as long as the fastest arm's."""
    middle = {
        arm.label: median(kept) / arm.num_samples
        for arm in arms
        if len(kept := _undisturbed(arm)) >= GLANCE
    }
    fastest = min((middle[label] for label in middle if label in contenders), default=None)
    if fastest is None:
        return {}
    return {
        arm.label: COST
        for arm in arms
        if arm.label in middle
        and arm.label not in anchors
        and min(_undisturbed(arm)) / arm.num_samples >= COSTLY * fastest
    }


def _undisturbed(arm: SearchedArm) -> list[float]:
    return [seconds for i, seconds in enumerate(arm.turns.seconds) if i not in arm.turns.void]


def is_clear(
    arms: Sequence[SearchedArm],
    anchors: Collection[str],
    contenders: Collection[str],
    *,
    most_turns: int,
) -> bool:
    """Return whether every rival of the leader is surely slower, or has shared `most_turns` with it: a tie by then.

    Void arms are not waited for.
    """
    first = leader(arms, anchors, contenders)
    if first is None:
        return False
    rivals = [
        arm
        for arm in arms
        if arm is not first
        and (arm.label in contenders or arm.label in anchors)
        and not (is_void(arm) and len(arm.turns.seconds) >= 2 * FIRST)
    ]
    return all(_is_settled(first, arm, most_turns) for arm in rivals)


def _is_settled(first: SearchedArm, arm: SearchedArm, most_turns: int) -> bool:
    if min(len(one.seconds) for one in overlap(first, arm)) >= most_turns:
        return True
    strict = ratio_of(first, arm, is_strict=True)
    return strict is not None and (strict.high < 1 or strict.low > 1)


def next_length(num_passes: int) -> int:
    """Return the passes of the next round, after `num_passes` of the arms that were there from the beginning."""
    return min(max(FIRST, num_passes), LONGEST)
