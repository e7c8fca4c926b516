"""The words of the report: what outcomes, backends, steps and metrics are called and what they mean."""

from __future__ import annotations

from typing import Final

from bench.doubts import DOUBTS
from bench.metrics import METRICS
from suite.axes import BACKENDS, STAGE_ROWS, VARIANTS
from suite.outcome import WORDING, Wording
from suite.units import plural as plural

NOT_REACHED: Final = "not_reached"
"""Planned, and the run ended before it: no record exists, so `Outcome` has no value for it."""

_NOT_REACHED: Final = Wording("not reached", "Planned, and the run ended before it.", "·", "dim")
_WORDING: Final = {
    **{outcome.value: row for outcome, row in WORDING.items()},
    NOT_REACHED: _NOT_REACHED,
}

OUTCOMES: Final = {outcome: row.title for outcome, row in _WORDING.items()}
"""Outcome -> word, in reading order: passed first, then the worst."""

MEANINGS: Final = {outcome: row.meaning for outcome, row in _WORDING.items()}

MARKS: Final = {outcome: row.mark for outcome, row in _WORDING.items()}
"""One character per outcome, so that colour is never the only sign."""

STYLES: Final = {outcome: row.style for outcome, row in _WORDING.items()}
"""Outcome -> a style of rich."""

STATE_TITLES: Final = {"masked": "masks alone"}
"""State that is no variant -> what it is called."""

STATES: Final = {
    "masked": "Weights set to zero and nothing removed: the control arm of pruning.",
}
"""State that is no variant -> what it is, in a sentence."""

TITLES: Final = {
    "peak_rss_delta": "peak RSS delta",
    "peak_tensor_bytes": "peak tensor bytes",
    "cuda_allocated": "CUDA peak allocated",
    "cuda_reserved": "CUDA peak reserved",
    "first_run": "first run",
}
"""Metric -> title, where the one in `bench.metrics` needs its column's context to be understood."""


def metric_name(metric: str) -> str:
    """The metric in words."""
    if metric in TITLES:
        return TITLES[metric]
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def metric_meaning(metric: str) -> str:
    """One sentence, or an empty string for a metric this version does not know."""
    return METRICS[metric].meaning if metric in METRICS else ""


def doubt_meaning(code: str) -> str:
    """What a doubt of that code is, in general; the code itself for one this version does not know."""
    check = DOUBTS.get(code)
    return " ".join((check.__doc__ or code).split()) if check else code


def backend_name(backend: str) -> str:
    """The backend as people write it."""
    return BACKENDS[backend].title if backend in BACKENDS else backend


def backend_short(backend: str) -> str:
    """Return the backend in a word for narrow places."""
    return BACKENDS[backend].short if backend in BACKENDS else backend


def stage_short(stage: str) -> str:
    """Return the stage in a word as narrow as its marks."""
    return STAGE_ROWS[stage].short or stage if stage in STAGE_ROWS else stage


def backend_mark(backend: str) -> str:
    """Return the shape of the backend's points in charts."""
    return BACKENDS[backend].mark if backend in BACKENDS else "circle"


def outcome_name(outcome: str) -> str:
    """The outcome in words."""
    return OUTCOMES.get(outcome, outcome.replace("_", " "))


def variant_name(variant: str) -> str:
    """The state of a model in words."""
    title = VARIANTS[variant].title if variant in VARIANTS else STATE_TITLES.get(variant, "")
    return title or (variant.replace("_", " ") if variant.isidentifier() else variant)


def variant_meaning(variant: str) -> str:
    """What the state is, in a phrase; empty for one that this version does not know."""
    return STATES.get(variant) or (VARIANTS[variant].meaning if variant in VARIANTS else "")


COMPARISONS: Final = {
    "faster": ("▲", "faster", "is faster than"),
    "slower": ("▼", "slower", "is slower than"),
    "same": ("≈", "no difference", "is as fast as"),
    "unclear": ("?", "too close to tell", "cannot be told from"),
    "few": ("…", "too few rounds", "was not timed often enough to compare it with"),
}
"""Kind of a speed-up (`bench.summary.model.Speedup.kind`) -> (mark, words, verb)."""
