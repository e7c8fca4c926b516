"""Worker side. Sensitivity: what a model loses when one layer at a time is computed in 8 bits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from suite.quantization.switched import Feeds, Layer, Switched
from suite.results.quantize import LayerHarm, Sensitivity

if TYPE_CHECKING:
    from numpy.typing import NDArray

Outputs = Sequence[Sequence["NDArray[Any]"]]
"""Outputs of every feed."""

Loss = Callable[[Outputs], float]
"""Returns how much worse the metric of these outputs is than that of the float ones."""

METRIC, ERROR = "metric", "error"

BUDGET: Final = 60.0
"""Seconds of a sensitivity analysis."""


def sensitivity_of(
    switched: Switched,
    feeds: Sequence[Feeds],
    *,
    num_samples: int,
    budget: float = BUDGET,
    loss: Loss | None = None,
    shares: Mapping[str, float] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Sensitivity:
    """Return the layers, the worst first: by `loss` of the metric, with ties by error, or by error without it.

    Every layer is switched on by itself, on all feeds. Where that would take longer than `budget` seconds, neighbours
    share a switch, and their row tells the group; what is not reached by then is counted. Raise ValueError without a
    feed.
    """
    if not feeds:
        raise ValueError("no samples to measure sensitivity on; expected at least one feed")
    begin = clock()
    reference = [switched.run(feed) for feed in feeds]
    once = max(clock() - begin, 1e-9)
    most = max(1, int((budget - once) / once))
    groups = grouped(switched.layers, most)
    places = {layer.name: place for place, layer in enumerate(switched.layers)}
    rows: list[LayerHarm] = []
    reached = 0
    for number, group in enumerate(groups):
        if number and clock() - begin > budget:
            break
        names = {layer.name for layer in group}
        outputs = [switched.run(feed, names) for feed in feeds]
        error, lost = relative_error(reference, outputs), loss(outputs) if loss else None
        reached += len(group)
        rows += [
            LayerHarm(
                name=layer.name,
                scope=layer.scope,
                operator=layer.operator,
                place=places[layer.name],
                error=error,
                drop=lost,
                share=(shares or {}).get(layer.name),
                group=number if len(group) > 1 else None,
            )
            for layer in group
        ]
    return Sensitivity(
        layers=tuple(sorted(rows, key=harm)),
        by=METRIC if loss else ERROR,
        num_samples=num_samples,
        num_left=len(switched.layers) - reached,
        budget=budget,
        seconds=clock() - begin,
    )


def harm(row: LayerHarm) -> tuple[float, float]:
    """Return the key that sorts the worst first."""
    return -_number(row.drop or 0.0), -_number(row.error)


def grouped(layers: Sequence[Layer], most: int) -> list[tuple[Layer, ...]]:
    """Return the layers in at most `most` groups of neighbours, as equal in number as can be."""
    count = min(len(layers), max(1, most))
    if not count:
        return []
    bounds = [round(i * len(layers) / count) for i in range(count + 1)]
    return [tuple(layers[a:b]) for a, b in pairwise(bounds) if b > a]


def relative_error(reference: Outputs, actual: Outputs) -> float:
    """Return the norm of the difference over the norm of the reference, over all floating-point outputs of all feeds.

    Infinite where a value is no number, where shapes differ (a detector finds another number of boxes), and for noise
    on nothing but zeros.
    """
    signal = noise = 0.0
    for expected, found in zip(reference, actual, strict=True):
        for one, two in zip(expected, found, strict=True):
            if one.dtype.kind != "f":
                continue
            if one.shape != two.shape:
                return math.inf
            wide = one.astype(np.float64)
            signal += float(np.square(wide).sum())
            noise += float(np.square(wide - two).sum())
    if not math.isfinite(noise) or (not signal and noise):
        return math.inf
    return math.sqrt(noise / signal) if signal else 0.0


def _number(value: float) -> float:
    """Return the value, with no number as the worst."""
    return math.inf if math.isnan(value) else value
