"""Advice: the fastest and the smallest state of a model within given limits; a pure function of a run's
measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from bench.output.names import outcome_name
from bench.summary.lifecycle_records import MASKED, Life, Quality, State
from bench.summary.quality_text import drop_text
from suite import units
from suite.axes import ORIGINAL, REFERENCE, TRAINED

DEFAULT_DROP: Final = 1.0
"""Points (percent if the metric is relative) below the trained model in float32."""
Z: Final = 1.96
"""Quantile of a 95% interval:
https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Normal_approximation.
"""
SHARES: Final = ("accuracy",)
"""Metrics that are a share of correct answers, one per sample: their random variation is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that a state must meet to be shipped."""

    max_drop: float = DEFAULT_DROP
    """In points; in percent of the metric if it is relative (perplexity)."""
    max_bytes: float | None = None
    max_seconds: float | None = None
    """Median seconds of one forward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A state that violates the limits."""

    state: State
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Which state of one model to ship."""

    life: Life
    limits: Limits
    reference: State | None
    """Trained model in eager PyTorch, the reference of all comparisons."""
    fastest: State | None
    """None if no state qualifies, or none has both a speed and a quality."""
    smallest: State | None
    rivals: tuple[State, ...]
    """Other qualifying states that may be as fast: their interval overlaps that of the fastest."""
    refused: tuple[Refused, ...]
    chance: float | None
    """Random variation of the quality metric in points for this number of test samples, 95%; None if unknown."""
    num_test_samples: int | None
    doubts: tuple[str, ...]
    """Reasons why the answer may change in another run."""


def advise(life: Life, limits: Limits | None = None) -> Advice:
    """Return the advice for a model that went through its stages."""
    limits = limits or Limits()
    shown = [s for s in life.states if s.name not in (ORIGINAL, MASKED)]
    kept: list[State] = []
    refused: list[Refused] = []
    for state in shown:
        reasons = _reasons(state, life.quality, limits)
        if reasons:
            refused.append(Refused(state=state, reasons=reasons))
        else:
            kept.append(state)
    fastest = max(kept, key=lambda s: s.ratio.value if s.ratio else 0.0, default=None)
    sized = [state for state in kept if state.num_bytes is not None]
    smallest = min(sized, key=lambda s: (s.num_bytes or 0, -_speed(s)), default=None)
    rivals = tuple(s for s in kept if fastest and s is not fastest and _may_be_as_fast(s, fastest))
    samples = life.training.num_test_samples if life.training else None
    chance = _chance(life, samples)
    return Advice(
        life=life,
        limits=limits,
        reference=next((s for s in shown if (s.name, s.backend) == (TRAINED, REFERENCE)), None),
        fastest=fastest,
        smallest=smallest,
        rivals=rivals,
        refused=tuple(refused),
        chance=chance,
        num_test_samples=samples,
        doubts=tuple(_doubts([s for s in (fastest, smallest) if s], limits, chance, samples)),
    )


def advice_for(lives: Sequence[Life], limits: Limits | None = None) -> dict[str, Advice]:
    """Return life id -> advice, for the lives that have states with a quality."""
    return {
        life.id: advise(life, limits)
        for life in lives
        if any(state.drop is not None and state.name != ORIGINAL for state in life.states)
    }


def _reasons(state: State, quality: Quality | None, limits: Limits) -> tuple[str, ...]:
    """Return why the state is not shipped; empty if it qualifies."""
    reasons = []
    if state.outcome != "passed":
        reasons.append(f"its stage {outcome_name(state.outcome)}")
    if state.drop is None:
        reasons.append("its quality was not measured")
    elif state.drop > limits.max_drop:
        reasons.append(f"it loses {drop_text(quality, state.drop)}")
    if state.ratio is None:
        reasons.append("its speed was not measured")
    elif not state.ratio.is_known:
        reasons.append("its speed is not known: too few pairs of turns")
    if limits.max_bytes is not None and (
        state.num_bytes is None or state.num_bytes > limits.max_bytes
    ):
        reasons.append(f"it has {units.num_bytes(state.num_bytes)}")
    if limits.max_seconds is not None and (
        state.latency is None or state.latency.p50 > limits.max_seconds
    ):
        reasons.append(f"it takes {units.seconds(state.latency.p50 if state.latency else None)}")
    return tuple(reasons)


def _speed(state: State) -> float:
    return state.ratio.value if state.ratio else 0.0


def _may_be_as_fast(state: State, fastest: State) -> bool:
    """Return True if the intervals overlap."""
    low = fastest.ratio.low if fastest.ratio else None
    high = state.ratio.high if state.ratio else None
    return low is not None and high is not None and high >= low


def _chance(life: Life, samples: int | None) -> float | None:
    trained = life.training.trained if life.training else None
    return chance_of(life.quality.name, trained, samples) if life.quality else None


def chance_of(metric: str, value: float | None, samples: int | None) -> float | None:
    """Return the random variation in points, 95%, of a metric (in %) over that many samples; None if not known."""
    if not samples or value is None or metric not in SHARES:
        return None
    share = min(max(value / 100, 0.0), 1.0)
    # At 100% the formula gives no variation; one sample more or less is always possible.
    return 100 * max(Z * sqrt(share * (1 - share) / samples), 1 / samples)


def _doubts(
    states: Sequence[State], limits: Limits, chance: float | None, samples: int | None
) -> list[str]:
    found = []
    if chance is not None and any((s.drop or 0.0) + chance > limits.max_drop for s in states):
        found.append(
            f"on {samples:,} test samples the metric moves by {chance:.1f} points by chance, so a loss of"
            f" {limits.max_drop:g} cannot be told from none"
        )
    elif chance is None:
        many = f"{samples:,} test samples" if samples else "an unknown number of test samples"
        found.append(
            f"quality is of {many}; how far it moves by chance is not known for this metric"
        )
    if any(s.ratio and not s.ratio.is_paired for s in states):
        found.append(
            "a speed was not taken in turns with eager PyTorch: its interval has the worst case of both"
        )
    if any(s.like_for_like and s.like_for_like.verdict == "slower" for s in states):
        found.append("a quantized state is slower than the float graph that it was made from")
    return found
