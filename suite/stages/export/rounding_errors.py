"""Worker side. Rounding errors of eager and of a graph against the reference, as root mean squares relative to an
output's scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]

LEAST_ERROR: Final = 4.0
"""Minimum assumed error of eager, in roundoffs of an output's scale: small networks can be exact by chance."""
PEAK: Final = 4.0
"""Largest normal error of a single element, in root mean squares."""
LEAST_SLICE: Final = 8
"""Minimum number of elements for judging a slice by itself; fewer can be exact by chance."""
HOPELESS: Final = 2.0**14
"""Error of eager in roundoffs above which nothing can be shown: 1e-3 of the scale in float32."""
ROUNDOFF: Final = {"float16": 2.0**-11, "int8": 2.0**-8}
"""Unit roundoff by dtype; a graph of 8-bit integers counts as int8."""
FLOAT32_ROUNDOFF: Final = 2.0**-24
UNMEASURED: Final = 2.0**-14
"""Assumed error of eager if there is no float64 run to measure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Outputs of a module for one input."""

    eager: Arrays
    """Outputs in the module's own precision."""
    judge: Arrays
    """Outputs in float64, if possible."""
    judged_by: str
    """How `judge` was computed, as in `ShapeParity.judge`."""

    @property
    def agree_in_kind(self) -> bool:
        """Whether both have the same shapes and finite numbers, so that eager's error is defined."""
        import numpy as np

        return len(self.eager) == len(self.judge) and all(
            a.shape == b.shape and (a.dtype.kind != "f" or bool(np.isfinite(b).all()))
            for a, b in zip(self.eager, self.judge, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Strain:
    """Worst place of one output."""

    times: float
    """Error of the graph relative to eager's."""
    eager: float
    """Eager's error over the whole output, relative to its scale."""
    graph: float
    where: str
    """Description of the slice; empty for the whole output."""


def typical_errors(answers: Sequence[Answers]) -> list[float]:
    """Return by output eager's largest error over the inputs, relative to the output's scale, at least LEAST_ERROR
    roundoffs.

    Inputs on which eager is far off, e.g. because it takes another decision than the reference, do not count.
    """
    found = [LEAST_ERROR * _roundoff(array) for array in answers[0].eager]
    for answer in answers:
        if not answer.agree_in_kind or len(answer.eager) != len(found):
            continue
        for i, (judge, eager) in enumerate(zip(answer.judge, answer.eager, strict=True)):
            if judge.dtype.kind == "f" and judge.size:
                error = _relative(rms(minus(eager, judge)), rms(judge))
                if error <= hopeless(eager):
                    found[i] = max(found[i], error)
    return found


def strain_of(
    exact: NDArray[Any], eager: NDArray[Any], graph: NDArray[Any], usual: float
) -> Strain:
    """Return where the graph is worst, relative to eager's error.

    Eager's error in a slice is the largest of: its own there, the usual one at that slice's scale, and one roundoff of
    the whole output's scale, because a slice near zero has the error of its summands.
    """
    import numpy as np

    off_eager, off_graph = np.abs(minus(eager, exact)), np.abs(minus(graph, exact))
    squares = [_squares(values) for values in (exact, off_eager, off_graph)]
    scale, whole_eager, whole_graph = (_root_mean(values) for values in squares)
    least = _roundoff(eager) * scale
    worst, where = 0.0, ""
    for label, axes in _slices(exact.shape):
        size, by_eager, by_graph = (_root_mean(values, axes) for values in squares)
        allowed = np.maximum(by_eager, np.maximum(usual * size, least))
        times = times_of(by_graph, allowed)
        if label is None or label == (0,):
            peak = np.maximum(
                off_eager.max(axis=axes), np.maximum(PEAK * usual * size, PEAK * least)
            )
            times = np.maximum(times, times_of(off_graph.max(axis=axes), peak))
        at = np.unravel_index(int(np.argmax(times)), np.shape(times))
        most = float(np.asarray(times)[at])
        if not most <= worst:
            pairs = zip(label or (), at, strict=True)
            worst, where = most, ", ".join(f"index {i} of axis {axis}" for axis, i in pairs)
    return Strain(
        times=worst,
        eager=_relative(whole_eager, scale),
        graph=_relative(whole_graph, scale),
        where=where,
    )


def rms(values: NDArray[Any]) -> Any:
    """Return the root mean square, in float64."""
    return _root_mean(_squares(values))


def _squares(values: NDArray[Any]) -> NDArray[np.float64]:
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        squares: NDArray[np.float64] = np.square(values, dtype=np.float64)
    return squares


def _root_mean(squares: NDArray[np.float64], axes: tuple[int, ...] | None = None) -> Any:
    """Return the root of the mean over the axes, or over everything."""
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        return np.sqrt(np.mean(squares, axis=axes))


def minus(values: NDArray[Any], exact: NDArray[Any]) -> NDArray[Any]:
    """Return values - exact in float64."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return values.astype(np.float64) - exact.astype(np.float64)


def times_of(error: Any, allowed: Any) -> NDArray[np.float64]:
    """Return error / allowed; 0 if both are 0, infinite for nan."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(error == 0.0, 0.0, np.divide(error, allowed))
    return np.nan_to_num(times, nan=np.inf, posinf=np.inf)


def hopeless(eager: NDArray[Any]) -> float:
    """Return the error of eager, relative to an output's scale, above which nothing can be shown."""
    return min(0.25, HOPELESS * _roundoff(eager))


def _slices(shape: Sequence[int]) -> Iterator[tuple[tuple[int, ...] | None, tuple[int, ...]]]:
    """Yield the whole, then every axis, then samples by channels: (axes that are kept or None, axes that are
    averaged).
    """
    axes = range(len(shape))
    yield None, tuple(axes)
    kept = [(axis,) for axis in axes] + ([(0, 1)] if len(shape) > 2 else [])
    for own in kept:
        rest = tuple(axis for axis in axes if axis not in own)
        if math.prod(shape[axis] for axis in rest) >= LEAST_SLICE:
            yield own, rest


def _relative(error: float, scale: float) -> float:
    return float(error / scale) if scale else float(error)


def _roundoff(array: NDArray[Any]) -> float:
    return ROUNDOFF.get(array.dtype.name, FLOAT32_ROUNDOFF)
