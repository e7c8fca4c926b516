"""Verdicts of rows, and the exit code of a gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from bench.gate.power import detectable, spread_of
from bench.gate.signed_rank import bound, hodges_lehmann, p_above, p_below

ALPHA: Final = 0.05
"""Family-wise error rate: probability of any REGRESSED in a run where nothing changed."""
LOOKS: Final = 2
"""Number of tests of the confirmed rows, at ten blocks and at twenty; each takes its share of ALPHA."""


class Verdict(StrEnum):
    """The verdict on one row."""

    REGRESSED = "REGRESSED"
    IMPROVED = "IMPROVED"
    NO_REGRESSION = "NO-REGRESSION"
    INCONCLUSIVE = "INCONCLUSIVE"


class Exit(IntEnum):
    """Exit codes of `pytest bench --against`."""

    PASS = 0
    REGRESSED = 1
    BROKEN = 2
    """Tests or parity failed, or nothing could be compared."""
    CONTAMINATED = 3
    """The negative control shifted: timings on this machine are unreliable now."""
    INCONCLUSIVE = 4
    """Under --strict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Summary of a row's blocks; effects are log(head / base)."""

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
    """Summarize block effects against a minimum effect `least` (log units)."""
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
    """True if a screened row needs fresh blocks: it shifted by the minimum effect, or a shift is not ruled out."""
    return abs(found.estimate) > least or found.high is None or found.high >= clear


def screen_verdict(found: Finding, *, least: float, clear: float) -> Verdict:
    """Return the verdict after the screen. It is never REGRESSED or IMPROVED: those need fresh blocks."""
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
    """Return the verdict on fresh blocks, by p values that are adjusted over the confirmed rows."""
    if adjusted <= alpha:
        return Verdict.REGRESSED
    if adjusted_improved <= alpha:
        return Verdict.IMPROVED
    if found.high is not None and found.high < clear:
        return Verdict.NO_REGRESSION
    return Verdict.INCONCLUSIVE


def detectable_effect(spread: float, *, num_blocks: int, least: float, family: int = 1) -> float:
    """Return the effect (log units) that so many fresh blocks of that spread detect in 4 of 5 runs."""
    return detectable(spread, num_blocks, least=least, alpha=ALPHA / LOOKS / max(1, family))


def exit_code(
    *,
    is_broken: bool,
    has_control_shifted: bool,
    verdicts: Sequence[Verdict],
    has_exact_regression: bool,
    is_strict: bool,
) -> Exit:
    """Return the exit code of a run; what invalidates the numbers takes precedence over their verdicts.

    Values that do not depend on the machine's noise (counts, bytes, quality) fail the build even if its timings are
    unreliable.
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
