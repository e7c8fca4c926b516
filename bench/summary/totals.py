"""Totals of a run for the report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bench.summary.elements import Step
from bench.summary.lifecycle_records import Life
from bench.summary.model import Row, Totals
from bench.summary.places import is_life
from bench.summary.step_outcomes import outcome_counts
from suite.axes import ORIGINAL, TRAINED


def totals_of(
    rows: Sequence[Row], lives: Sequence[Life], steps: Sequence[Step], missing: Sequence[Step]
) -> Totals:
    """Return counts and means over the whole run; `missing` was planned and not reached."""
    verdicts: dict[str, Counter[str]] = {
        "faster": Counter(),
        "slower": Counter(),
        "unclear": Counter(),
    }
    ratios: dict[str, list[float]] = {}
    for row in rows:
        for speedup in row.speedups:
            verdicts[speedup.verdict][speedup.backend] += 1
            ratios.setdefault(speedup.backend, []).append(speedup.ratio)
    states = _state_ratios(lives)
    claims = [claim for life in lives for stage in life.stages for claim in stage.claims]
    planned = {row.id for row in rows} | {s.row for s in missing if not is_life(s.row)}
    return Totals(
        num_rows=len(rows),
        num_planned=len(planned),
        num_measured=sum(any(lane.timing for lane in row.lanes) for row in rows),
        num_cells=len({step.cell for step in steps}),
        num_faster=dict(verdicts["faster"]),
        num_slower=dict(verdicts["slower"]),
        num_unclear=dict(verdicts["unclear"]),
        mean_speedup=_means(ratios),
        outcomes=outcome_counts(steps),
        num_models=len({row.model for row in rows} | {life.model for life in lives}),
        num_claims=len(claims),
        num_broken=sum(not claim.holds for claim in claims),
        mean_state_speedup=_means(states),
        num_state_speedups={name: len(values) for name, values in states.items()},
    )


def _state_ratios(lives: Iterable[Life]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for life in lives:
        for name in dict.fromkeys(state.name for state in life.states):
            state = life.state(name)
            if state is not None and state.ratio is not None and name != ORIGINAL:
                found.setdefault(name, []).append(state.ratio.value)
    found.pop(TRAINED, None)
    return found


def _means(ratios: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return name -> geometric mean."""
    return {
        name: math.exp(math.fsum(map(math.log, values)) / len(values))
        for name, values in ratios.items()
    }
