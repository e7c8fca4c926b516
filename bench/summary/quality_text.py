"""Wording of the quality metric and its changes."""

from __future__ import annotations

import math

from bench.output.names import variant_name
from bench.summary.lifecycle_records import Life, Quality, State, Tuning
from suite import units
from suite.axes import PRUNE, PRUNED
from suite.quality import gain


def metric_text(quality: Quality | None, value: float | None) -> str:
    """Return `91.0%`, `12.4`; `-` without a value."""
    if value is None or not math.isfinite(value):
        return units.ABSENT
    if quality is not None and quality.unit == "%":
        return f"{value:.1f}%"
    return units.significant(value)


def named_metric_text(quality: Quality | None, value: float | None) -> str:
    """Return `91.0%`, and with its name what is no share: `perplexity 115`."""
    text = metric_text(quality, value)
    return text if quality is None or quality.unit == "%" else f"{quality.name} {text}"


def change_text(quality: Quality | None, change: float | None, *, sign: bool = True) -> str:
    """Return `+23.4 points`, `-4.2%`: a gain with its sign; `-` without one."""
    if change is None or math.isnan(change):
        return units.ABSENT
    if math.isinf(change):
        return "beyond measure"
    unit = quality.change_unit if quality else ""
    number = f"{change + 0.0:{'+' if sign else ''}.{1 if abs(change) < 100 else 0}f}"
    number = number.replace("-0.0", "0.0") if float(number) == 0 else number
    return f"{number}%" if unit == "%" else f"{number} {unit}".rstrip()


def drop_text(quality: Quality | None, drop: float | None) -> str:
    """Return the loss of the metric, e.g. `1.2 points`; `none` if it is equal or better, with the difference."""
    if drop is None:
        return units.ABSENT
    return change_text(quality, drop, sign=False)


def training_warnings(life: Life) -> tuple[str, ...]:
    """Return a sentence for each training that was to make the model better and made it worse: the recovery after
    pruning, and fine-tuning.
    """
    told = (recovery_warning(life), *(tuning_warning(life, tuning) for tuning in life.tunings))
    return tuple(filter(None, told))


def tuning_warning(life: Life, tuning: Tuning) -> str:
    """Return a sentence if the model is worse on the second task after fine-tuning; else an empty string."""
    if life.quality is None or tuning.before is None or tuning.after is None:
        return ""
    change = gain(life.quality.task, tuning.before, tuning.after)
    if not change < 0:
        return ""
    first, last = metric_text(life.quality, tuning.before), metric_text(life.quality, tuning.after)
    lost = change_text(life.quality, -change, sign=False)
    return (
        f"Fine-tuning ({variant_name(tuning.strategy)}) made {life.quality.name} on {tuning.data or 'the second task'}"
        f" worse by {lost}: {first} before it, {last} after it. A lower learning rate or fewer steps may keep it."
    )


def loss_of(quality: Quality | None, state: State) -> str:
    """Return what a state lost: of its metric, or, without a task, how far its outputs are from float32's; else empty.

    E.g. `1.2 points`, or `2.1% off, 94% same`: the relative error, and how often the largest element is the same.
    """
    if state.drop is not None:
        return drop_text(quality, state.drop)
    if state.relative_error is None:
        return ""
    same = "" if state.agreement is None else f", {state.agreement:.0%} same"
    return f"{state.relative_error:.1%} off{same}"


def recovery_warning(life: Life) -> str:
    """Return a sentence if the training after pruning has made the model worse; else an empty string."""
    before, prune = life.pruned_before_recovery, life.stage(PRUNE, PRUNED)
    after = prune.after if prune else None
    if life.quality is None or before is None or after is None:
        return ""
    change = gain(life.quality.task, before, after)
    if not change < 0:
        return ""
    first, last = metric_text(life.quality, before), metric_text(life.quality, after)
    lost = change_text(life.quality, -change, sign=False)
    return (
        f"The training after pruning made {life.quality.name} worse by {lost}: {first} right after"
        f" pruning, {last} after it. A lower learning rate or fewer steps may keep it."
    )
