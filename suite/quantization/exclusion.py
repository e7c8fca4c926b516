"""Worker side. Exclusion: which layers to leave in float so that the rest, in 8 bits, loses no more than allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from suite.results.quantize import LayerHarm, Sensitivity

TOLD: Final = 0.25
"""Share of the allowed drop that one layer alone has to cost before the metric's word counts: less is the chance of
single samples, and the error tells the layers apart.
"""

LEAST_SHARE: Final = 1e-3
"""Share of time below which layers count as equally cheap to leave in float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Result of a search."""

    excluded: tuple[str, ...]
    """Layers to leave in float, the most harmful first; empty if none was found."""
    loss: float
    """Judged loss with these in float and all others in 8 bits."""
    num_trials: int
    failure: str = ""
    """Why nothing was found; empty if something was."""


def order_of(sensitivity: Sensitivity, allowed: float) -> list[LayerHarm]:
    """Return the layers in the order in which they are left in float: most harm per time that it costs first.

    Harm is the drop where one layer costs enough of it to be told, else the power of the error, of which those of
    several layers add up. Layers of unknown time count alike.
    """
    known = [row.share for row in sensitivity.layers if row.share]
    middle = sorted(known)[len(known) // 2] if known else 1.0

    def key(row: LayerHarm) -> tuple[float, float]:
        cost = max(row.share if row.share is not None else middle, LEAST_SHARE)
        told = row.drop is not None and row.drop >= max(TOLD * allowed, 1e-12)
        # A broken output is harm without measure, whatever its time.
        power = row.error**2 if math.isfinite(row.error) else math.inf
        return -(row.drop or 0.0) / cost if told else 0.0, -power / cost

    return sorted(sensitivity.layers, key=key)


def search(
    ordered: Sequence[LayerHarm],
    judge: Callable[[Collection[str]], float],
    allowed: float,
    *,
    least: int = 1,
    is_over: Callable[[], bool] = lambda: False,
) -> Search:
    """Return the fewest first layers of `ordered` in float with which `judge` finds a loss within `allowed`.

    `judge(in_8_bits)` returns the loss with those layers in 8 bits and the others in float. At least `least` layers are
    left in float, and at least one stays in 8 bits: a graph that is float altogether is no answer, and `failure` says
    so. Afterwards those that take the most time are put back, one by one, where the loss allows it, until `is_over`.
    """
    names = [row.name for row in ordered]
    known: dict[int, float] = {}
    trials = 0

    def lost(number: int) -> float:
        nonlocal trials
        if number not in known:
            trials += 1
            known[number] = judge(set(names[number:]))
        return known[number]

    most = len(names) - 1
    if most < least:
        return Search(
            excluded=(),
            loss=math.inf,
            num_trials=0,
            failure=f"of {len(names)} layers in 8 bits {least} would have to be left in float",
        )
    low, high = least - 1, least
    while high < most and lost(high) > allowed and not is_over():
        low, high = high, min(2 * high, most)
    if lost(high) > allowed:
        best = min(known, key=known.__getitem__)
        why = "time was up" if high < most else "with all but one in float it is still beyond"
        return Search(
            excluded=(),
            loss=known[best],
            num_trials=trials,
            failure=f"no set of layers brought the loss within {allowed:g}: {why}"
            f" ({known[best]:.4g} with {best} of {len(names)} in float)",
        )
    while high - low > 1 and not is_over():
        middle = (low + high) // 2
        low, high = (low, middle) if lost(middle) <= allowed else (middle, high)
    chosen, loss = list(ordered[:high]), lost(high)
    for row in sorted(chosen, key=lambda row: -(row.share or 0.0)):
        if len(chosen) <= least or is_over():
            break
        fewer = [other for other in chosen if other.name != row.name]
        trials += 1
        found = judge({name for name in names if name not in {r.name for r in fewer}})
        if found <= allowed:
            chosen, loss = fewer, found
    return Search(excluded=tuple(row.name for row in chosen), loss=loss, num_trials=trials)
