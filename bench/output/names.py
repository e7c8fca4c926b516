"""Display names and meanings of outcomes, backends, steps and metrics."""

from __future__ import annotations

from typing import Final

from bench.doubts import DOUBTS, DOUBTS_OF_TURNS
from bench.metrics import METRICS
from suite.axes import BACKENDS, STAGE_ROWS, VARIANTS
from suite.outcome import WORDING, Wording
from suite.units import plural as plural

NOT_REACHED: Final = "not_reached"
"""Outcome of a planned step that the run did not reach: no record exists, so `Outcome` has no value for it."""

_NOT_REACHED: Final = Wording("not reached", "Planned, and the run ended before it.", "·", "dim")
_WORDING: Final = {
    **{outcome.value: row for outcome, row in WORDING.items()},
    NOT_REACHED: _NOT_REACHED,
}

OUTCOMES: Final = {outcome: row.title for outcome, row in _WORDING.items()}
"""Outcome -> display name, in reading order: passed first, then the worst."""

MEANINGS: Final = {outcome: row.meaning for outcome, row in _WORDING.items()}

MARKS: Final = {outcome: row.mark for outcome, row in _WORDING.items()}
"""One character per outcome, so that colour is not the only distinction."""

STYLES: Final = {outcome: row.style for outcome, row in _WORDING.items()}
"""Outcome -> rich style."""

STATE_TITLES: Final = {"masked": "masks alone"}
"""State that is not a variant -> its display name."""

STATES: Final = {
    "masked": "Weights set to zero and nothing removed: the control arm of pruning.",
}
"""State that is not a variant -> its description in one sentence."""

TITLES: Final = {
    "peak_rss_delta": "peak RSS delta",
    "peak_tensor_bytes": "peak tensor bytes",
    "cuda_allocated": "CUDA peak allocated",
    "cuda_reserved": "CUDA peak reserved",
    "first_run": "first run",
}
"""Metric -> title, if the one in `bench.metrics` is only clear in its column's context."""


def metric_name(metric: str) -> str:
    """Return the metric's display name."""
    if metric in TITLES:
        return TITLES[metric]
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def metric_meaning(metric: str) -> str:
    """Return the metric's meaning in one sentence, or an empty string for an unknown metric."""
    return METRICS[metric].meaning if metric in METRICS else ""


def doubt_meaning(code: str) -> str:
    """Return the general meaning of a doubt of that code; the code itself if it is unknown."""
    check = DOUBTS.get(code) or DOUBTS_OF_TURNS.get(code)
    return " ".join((check.__doc__ or code).split()) if check else code


def backend_name(backend: str) -> str:
    """Return the backend's display name."""
    return BACKENDS[backend].title if backend in BACKENDS else backend


def backend_short(backend: str) -> str:
    """Return the backend's one-word name for narrow places."""
    return BACKENDS[backend].short if backend in BACKENDS else backend


def stage_short(stage: str) -> str:
    """Return the stage's short name, as narrow as its marks."""
    return STAGE_ROWS[stage].short or stage if stage in STAGE_ROWS else stage


def backend_mark(backend: str) -> str:
    """Return the shape of the backend's points in charts."""
    return BACKENDS[backend].mark if backend in BACKENDS else "circle"


def outcome_name(outcome: str) -> str:
    """Return the outcome's display name."""
    return OUTCOMES.get(outcome, outcome.replace("_", " "))


def variant_name(variant: str) -> str:
    """Return the display name of a model's state."""
    title = VARIANTS[variant].title if variant in VARIANTS else STATE_TITLES.get(variant, "")
    return title or (variant.replace("_", " ") if variant.isidentifier() else variant)


def variant_meaning(variant: str) -> str:
    """Return a phrase describing the state; empty for an unknown one."""
    return STATES.get(variant) or (VARIANTS[variant].meaning if variant in VARIANTS else "")


COMPARISONS: Final = {
    "faster": ("▲", "faster", "is faster than"),
    "slower": ("▼", "slower", "is slower than"),
    "same": ("≈", "too close to tell", "is as fast, within 5%, as"),
    "few": ("…", "too few pairs", "was not timed often enough to compare it with"),
}
"""Verdict of a ratio (`bench.paired_ratio.verdict_of`) -> (mark, words, verb)."""
COMPARISON_STYLES: Final = {"faster": "green", "slower": "magenta", "same": "dim", "few": "yellow"}
"""Verdict of a ratio -> rich style."""
