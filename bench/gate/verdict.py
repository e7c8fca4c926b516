"""Verdicts: what the blocks of a row say, and what the rows of a run say to a build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from bench.gate.power import detectable, spread_of
from bench.gate.signed_rank import bound, hodges_lehmann, p_above, p_below

ALPHA: Final = 0.05
"""Of the whole run: the chance that one REGRESSED is wrong when nothing changed."""
LOOKS: Final = 2
"""Times that the confirmed rows are tested, at ten blocks and at twenty; each takes its share of ALPHA."""


class Verdict(StrEnum):
    """What is known of one row."""

    REGRESSED = "REGRESSED"
    IMPROVED = "IMPROVED"
    NO_REGRESSION = "NO-REGRESSION"
    INCONCLUSIVE = "INCONCLUSIVE"


class Exit(IntEnum):
    """How `pytest bench --against` ends."""

    PASS = 0
    REGRESSED = 1
    BROKEN = 2
    """Tests or parity failed, or nothing could be compared."""
    CONTAMINATED = 3
    """The negative control moved: this machine cannot be believed just now."""
    INCONCLUSIVE = 4
    """Under --strict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row's blocks, summed up; effects are log(head / base)."""

    estimate: float
    low: float | None
    """One-sided 95% bound from below; None with fewer than 5 blocks."""
    high: float | None
    p_regressed: float
    p_improved: float
    num_blocks: int
    spread: float
    """Standard deviation of the block effects."""


def summarize_effects(effects: Sequence[float], *, least: float) -> Finding:
    """What the effects of some blocks say against a minimum effect `least` (log units)."""
    return Finding(
        estimate=hodges_lehmann(effects),
        low=bound(effects, "lower"),
        high=bound(effects, "upper"),
        p_regressed=p_above(effects, least),
        p_improved=p_below(effects, -least),
        num_blocks=len(effects),
        spread=spread_of(effects),
    )


def is_flagged(found: Finding, *, least: float, clear: float) -> bool:
    """Whether a screened row needs fresh blocks: it moved by the minimum effect, or it is not clear that it did not."""
    return abs(found.estimate) > least or found.high is None or found.high >= clear


def screen_verdict(found: Finding, *, least: float, clear: float) -> Verdict:
    """The verdict after the screen alone. It never says REGRESSED or IMPROVED: those take fresh blocks."""
    if is_flagged(found, least=least, clear=clear):
        return Verdict.INCONCLUSIVE
    return Verdict.NO_REGRESSION


def confirmed_verdict(
    found: Finding,
    *,
    adjusted: float,
    adjusted_improved: float,
    clear: float,
    alpha: float = ALPHA / LOOKS,
) -> Verdict:
    """The verdict on fresh blocks, by p values that Holm adjusted over the confirmed rows of the run."""
    if adjusted <= alpha:
        return Verdict.REGRESSED
    if adjusted_improved <= alpha:
        return Verdict.IMPROVED
    if found.high is not None and found.high < clear:
        return Verdict.NO_REGRESSION
    return Verdict.INCONCLUSIVE


def detectable_effect(spread: float, *, num_blocks: int, least: float, family: int = 1) -> float:
    """The effect (log units) that so many fresh blocks of that spread would show in 4 of 5 runs."""
    return detectable(spread, num_blocks, least=least, alpha=ALPHA / LOOKS / max(1, family))


def exit_code(
    *,
    is_broken: bool,
    has_control_shifted: bool,
    verdicts: Sequence[Verdict],
    has_exact_regression: bool,
    is_strict: bool,
) -> Exit:
    """The exit code of a run: what makes numbers worthless comes before what they say.

    Facts that do not depend on the machine's noise (counts, bytes, quality) fail the build also when its timings
    cannot be believed.
    """
    if is_broken:
        return Exit.BROKEN
    if has_exact_regression:
        return Exit.REGRESSED
    if has_control_shifted:
        return Exit.CONTAMINATED
    if Verdict.REGRESSED in verdicts:
        return Exit.REGRESSED
    if is_strict and Verdict.INCONCLUSIVE in verdicts:
        return Exit.INCONCLUSIVE
    return Exit.PASS
