"""Totals of a run for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.paired_ratio import mean_ratio
from bench.summary.elements import Step
from bench.summary.lifecycle_records import Life, Ratio, State
from bench.summary.model import Mean, Row, Totals
from bench.summary.places import is_life
from bench.summary.step_outcomes import outcome_counts
from suite.axes import ORIGINAL, TRAINED

_Known = tuple[float, float, float]
"""A ratio with the ends of its interval."""


def totals_of(
    rows: Sequence[Row], lives: Sequence[Life], steps: Sequence[Step], missing: Sequence[Step]
) -> Totals:
    """Return counts and means over the whole run; `missing` was planned and not reached."""
    verdicts: dict[str, Counter[str]] = {
        "faster": Counter(),
        "slower": Counter(),
        "same": Counter(),
        "few": Counter(),
    }
    ratios: dict[str, list[_Known]] = {}
    for row in rows:
        for speedup in row.speedups:
            verdicts[speedup.verdict][speedup.backend] += 1
            if speedup.low is not None and speedup.high is not None:
                known = (speedup.ratio, speedup.low, speedup.high)
                ratios.setdefault(speedup.backend, []).append(known)
    claims = [claim for life in lives for stage in life.stages for claim in stage.claims]
    planned = {row.id for row in rows} | {s.row for s in missing if not is_life(s.row)}
    return Totals(
        num_rows=len(rows),
        num_planned=len(planned),
        num_measured=sum(any(lane.timing for lane in row.lanes) for row in rows),
        num_cells=len({step.cell for step in steps}),
        num_faster=dict(verdicts["faster"]),
        num_slower=dict(verdicts["slower"]),
        num_same=dict(verdicts["same"]),
        num_few=dict(verdicts["few"]),
        mean_speedup=_means(ratios),
        outcomes=outcome_counts(steps),
        num_models=len({row.model for row in rows} | {life.model for life in lives}),
        num_claims=len(claims),
        num_broken=sum(not claim.holds for claim in claims),
        mean_state_speedup=_means(_state_ratios(lives, lambda state: state.ratio)),
        mean_like_for_like=_means(_state_ratios(lives, lambda state: state.like_for_like)),
    )


def _state_ratios(
    lives: Iterable[Life], ratio_of: Callable[[State], Ratio | None]
) -> dict[str, list[_Known]]:
    """Return state -> its known ratios over the lives, without the trained model's own."""
    found: dict[str, list[_Known]] = {}
    for life in lives:
        for name in dict.fromkeys(state.name for state in life.states):
            state = life.state(name)
            ratio = ratio_of(state) if state is not None else None
            if ratio is None or name in (ORIGINAL, TRAINED):
                continue
            if ratio.low is not None and ratio.high is not None:
                found.setdefault(name, []).append((ratio.value, ratio.low, ratio.high))
    return found


def _means(ratios: Mapping[str, Sequence[_Known]]) -> dict[str, Mean]:
    """Return name -> geometric mean with its interval."""
    found = {}
    for name, values in ratios.items():
        value, low, high = mean_ratio(values)
        found[name] = Mean(value=value, low=low, high=high, num=len(values))
    return found
