"""Worker side. Rounding errors: how far eager and a graph are off from the judge, as root mean squares relative to an
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
"""Roundoffs of an output's scale that eager's error is taken to be at least: small nets are exact by luck."""
PEAK: Final = 4.0
"""Largest error of a single element that is normal, in root mean squares."""
LEAST_SLICE: Final = 8
"""Elements from which on a slice is judged by itself; fewer can be exact by luck."""
HOPELESS: Final = 2.0**14
"""Roundoffs by which eager may be off before nothing can be shown: 1e-3 of the scale in float32."""
ROUNDOFF: Final = {"float16": 2.0**-11, "int8": 2.0**-8}
"""Unit roundoff by type of numbers; a graph of 8-bit integers counts as int8."""
FLOAT32_ROUNDOFF: Final = 2.0**-24
UNMEASURED: Final = 2.0**-14
"""Error that eager is taken to have where there is no float64 run to measure it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a module answers to one input."""

    eager: Arrays
    """In the module's own precision."""
    judge: Arrays
    """In float64, where that was possible."""
    judged_by: str
    """What `judge` is, as in `ShapeParity.judge`."""

    @property
    def agree_in_kind(self) -> bool:
        """Whether the two have the same shapes and finite numbers, so that eager's error is one."""
        import numpy as np

        return len(self.eager) == len(self.judge) and all(
            a.shape == b.shape and (a.dtype.kind != "f" or bool(np.isfinite(b).all()))
            for a, b in zip(self.eager, self.judge, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Strain:
    """The worst place of one output."""

    times: float
    """Error of the graph in errors of eager."""
    eager: float
    """Eager's error over the whole output, of its scale."""
    graph: float
    where: str
    """The slice in words; empty for the whole output."""


def typical_errors(answers: Sequence[Answers]) -> list[float]:
    """By output: eager's largest error over the inputs, of the output's scale, and LEAST_ERROR roundoffs at least.

    Inputs on which eager is hopelessly off, as where it takes another decision than the judge, do not count.
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
    """Where the graph is worst, in errors of eager.

    Eager's error in a slice is its own there, or the usual one of that slice's scale, or one roundoff of the whole
    output's scale, whichever is largest: a slice near zero has an error of what it was summed from.
    """
    import numpy as np

    off_eager, off_graph = np.abs(minus(eager, exact)), np.abs(minus(graph, exact))
    scale = rms(exact)
    least = _roundoff(eager) * scale
    worst, where = 0.0, ""
    for label, axes in _slices(exact.shape):
        size = rms(exact, axes)
        allowed = np.maximum(rms(off_eager, axes), np.maximum(usual * size, least))
        times = times_of(rms(off_graph, axes), allowed)
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
        eager=_relative(rms(off_eager), scale),
        graph=_relative(rms(off_graph), scale),
        where=where,
    )


def rms(values: NDArray[Any], axes: tuple[int, ...] | None = None) -> Any:
    """Root mean square over the axes, or over everything, in float64."""
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        wide = values.astype(np.float64, copy=False)
        return np.sqrt(np.mean(wide * wide, axis=axes))


def minus(values: NDArray[Any], exact: NDArray[Any]) -> NDArray[Any]:
    """values - exact in float64."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return values.astype(np.float64) - exact.astype(np.float64)


def times_of(error: Any, allowed: Any) -> NDArray[np.float64]:
    """error / allowed; 0 where both are 0, infinite for what is not a number."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(error == 0.0, 0.0, np.divide(error, allowed))
    return np.nan_to_num(times, nan=np.inf, posinf=np.inf)


def hopeless(eager: NDArray[Any]) -> float:
    """Error of eager, of an output's scale, from which on nothing can be shown."""
    return min(0.25, HOPELESS * _roundoff(eager))


def _slices(shape: Sequence[int]) -> Iterator[tuple[tuple[int, ...] | None, tuple[int, ...]]]:
    """The whole, then every axis, then samples by channels: (axes that are kept or None, axes that are averaged)."""
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
