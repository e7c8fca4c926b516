"""Worker side. Parity: whether a graph is as exact as its module, and whether the comparison could have failed.

The reference is the module in float64 on the same input (`suite.stages.export.reference`). Eager float32 differs
from it by some error; a correct graph rounds in another order, so its error has the same size. Errors are root mean
squares relative to the output's scale, over the whole output and over every slice of it: a single element near zero
decides nothing, and a fault in one channel of one sample is not averaged away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from suite.axes import EAGER
from suite.results.export import FAILED, PASSED, VACUOUS, Parity, ShapeParity
from suite.stages.export.detection_matching import moving_outputs
from suite.stages.export.rounding_errors import (
    Answers,
    Strain,
    hopeless,
    minus,
    rms,
    strain_of,
    times_of,
)
from suite.tolerance import Tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]


VACUOUS_BELOW: Final = 10.0
"""Minimum difference of eager's outputs for two inputs, in allowed errors. Below it a graph that ignored its input, or
that returned constants, would pass or nearly pass.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Change of eager's outputs when the input changes."""

    output: str
    """Output that changes least."""
    tolerances: float
    """Largest difference of that output between two real inputs, in allowed errors."""


def compare(
    axis: str,
    extent: int | None,
    answers: Answers,
    actual: Arrays,
    spread: Spread,
    *,
    names: Sequence[str],
    typical: Sequence[float],
    tolerance: Tolerance,
) -> ShapeParity:
    """Return the verdict for a graph's outputs `actual`.

    A floating-point output passes if its error is at most `tolerance.multiple` times eager's own, over the whole output
    and over every slice, or within the tolerance that the record declares for it. `typical` is eager's usual error by
    output (`typical_errors`). Integers must equal the reference's or eager's. Agreement is vacuous if eager's outputs
    hardly change (`spread`), are not finite, have no elements, or consist of rounding error.
    """
    reference, multiple = answers.eager, tolerance.multiple
    if reason := _mismatch(reference, actual, names):
        return broken(axis, extent, reason)
    judge = answers.judge if answers.agree_in_kind else reference
    judged_by = answers.judged_by if answers.agree_in_kind else EAGER
    max_abs, max_rel = _differences(judge, actual)
    worst = Strain(times=0.0, eager=math.nan, graph=math.nan, where="")
    verdict, failed, lost = PASSED, "", ""
    for name, exact, eager, graph, usual in zip(
        names, judge, reference, actual, typical, strict=True
    ):
        if not exact.size:
            continue
        if exact.dtype.kind != "f":
            wrong = int(((graph != exact) & (graph != eager)).sum())
            failed = failed or (f"{name}: {wrong} of {exact.size} integers differ" if wrong else "")
            continue
        strain = strain_of(exact, eager, graph, usual)
        if not strain.times <= worst.times:
            worst = strain
        if strain.times <= multiple:
            if strain.eager > hopeless(eager):
                lost = lost or (
                    f"{name}: eager float32 itself is off by {strain.eager:.2g} of the output's scale, so that no"
                    " smaller fault can be shown"
                )
        elif not _within(exact, graph, tolerance.declared(name)):
            failed = failed or _failure(name, strain, multiple)
    if reason := _meaningless(reference, names):
        verdict = VACUOUS
    elif reason := _non_finite(actual, names) or failed:
        verdict = FAILED
    elif reason := lost:
        verdict = VACUOUS
    elif spread.tolerances < VACUOUS_BELOW:
        verdict = VACUOUS
        reason = (
            f"{spread.output}: eager differs between two real inputs by {spread.tolerances:.3g} times the error that"
            f" is allowed, and less than {VACUOUS_BELOW:g} cannot show a wrong graph"
        )
    return ShapeParity(
        axis=axis,
        extent=extent,
        max_abs=_finite(max_abs),
        max_rel=_finite(max_rel),
        spread=_finite(spread.tolerances),
        verdict=verdict,
        reason=reason,
        judge=judged_by,
        eager_error=None if judge is reference else _finite(worst.eager),
        graph_error=_finite(worst.graph),
        times_eager=_finite(worst.times),
    )


def spread_of(
    first: Arrays,
    second: Arrays,
    *,
    names: Sequence[str],
    typical: Sequence[float],
    tolerance: Tolerance,
) -> Spread:
    """Return the difference of eager's results for two inputs, for the output that changes least.

    For a list of detections only the boxes count: sorted scores are similar on any two pictures. Integer outputs count
    only if there are no others (a label may rightly be the same twice). Outputs of different shapes are infinitely far
    apart; the difference of an output without elements is 0.
    """
    moving = moving_outputs(names)
    chosen = [row for row in zip(names, first, second, typical, strict=True) if row[0] in moving]
    floats = [row for row in chosen if row[1].dtype.kind == "f"]
    spreads = [
        Spread(
            output=name,
            tolerances=_apart(a, b, tolerance.multiple * usual, tolerance.declared(name)),
        )
        for name, a, b, usual in floats or chosen
    ]
    return min(spreads, key=lambda spread: spread.tolerances)


def verdict_of(shapes: Sequence[ShapeParity]) -> Parity:
    """Return the worst verdict (failed, then vacuous, then passed), every shape, and the first reason."""
    assert shapes, "a verdict needs at least one comparison"
    for verdict in (FAILED, VACUOUS):
        bad = [s for s in shapes if s.verdict == verdict]
        if bad:
            extent = "" if bad[0].extent is None else f" = {bad[0].extent}"
            reason = f"{bad[0].axis}{extent}: {bad[0].reason}"
            return Parity(verdict=verdict, shapes=tuple(shapes), reason=reason)
    return Parity(verdict=PASSED, shapes=tuple(shapes))


def _finite(value: float) -> float | None:
    """Return the number, or None if JSON cannot represent it."""
    return float(value) if math.isfinite(value) else None


def broken(axis: str, extent: int | None, reason: str) -> ShapeParity:
    """Return the verdict for a graph that did not run on this input, or whose outputs cannot be compared."""
    return ShapeParity(axis=axis, extent=extent, verdict=FAILED, reason=reason)


def _failure(name: str, strain: Strain, multiple: float) -> str:
    where = f" at {strain.where}" if strain.where else ""
    return (
        f"{name}: strays by {strain.times / multiple:.3g} tolerances: off by {strain.graph:.2g} of its scale,"
        f" and{where} {strain.times:.3g} times as far as eager float32 is by itself ({multiple:g} times are allowed)"
    )


def _apart(
    first: NDArray[Any], second: NDArray[Any], share: float, declared: Tolerance | None
) -> float:
    """Return the largest difference of one output between two inputs, in allowed errors: `share` of its scale, or as
    declared.
    """
    import numpy as np

    if not first.size or not second.size:
        return 0.0
    if first.shape != second.shape:
        return float("inf")
    if first.dtype.kind != "f":
        return float("inf") if (first != second).any() else 0.0
    off = np.abs(np.nan_to_num(minus(second, first)))
    allowed = np.full(off.shape, share * rms(first))
    if declared is not None:
        allowed = np.maximum(allowed, declared.atol + declared.rtol * np.abs(first))
    return float(np.nan_to_num(times_of(off, allowed)).max())


def _meaningless(reference: Arrays, names: Sequence[str]) -> str:
    """Return why agreement with this reference would prove nothing, or an empty string."""
    if empty := [name for name, array in zip(names, reference, strict=True) if not array.size]:
        return f"eager's {empty[0]} has no elements, e.g. no detections"
    reason = _non_finite(reference, names)
    return reason and f"eager's {reason}"


def _mismatch(reference: Arrays, actual: Arrays, names: Sequence[str]) -> str:
    """Return what makes the two incomparable, or an empty string."""
    if len(reference) != len(actual):
        return f"the graph returns {len(actual)} outputs, eager {len(reference)}"
    for a, b, name in zip(reference, actual, names, strict=True):
        if a.shape != b.shape:
            return f"{name}: the graph returns shape {list(b.shape)}, eager {list(a.shape)}"
    return ""


def _differences(judge: Arrays, actual: Arrays) -> tuple[float, float]:
    """Return the largest absolute difference, and the largest relative to its output's magnitude; nan if one is nan."""
    import numpy as np

    largest_abs = largest_rel = 0.0
    for a, b in zip(judge, actual, strict=True):
        if a.size:
            difference = float(np.abs(minus(b, a)).max())
            magnitude = float(np.abs(a).max())
            largest_abs = max(largest_abs, difference)
            largest_rel = max(largest_rel, difference / magnitude if magnitude else difference)
    return largest_abs, largest_rel


def _within(exact: NDArray[Any], graph: NDArray[Any], declared: Tolerance | None) -> bool:
    """Return whether every element is within the tolerance that the record declares, atol + rtol * |exact|, if any."""
    import numpy as np

    if declared is None:
        return False
    allowed = declared.atol + declared.rtol * np.abs(exact)
    return bool((np.abs(minus(graph, exact)) <= allowed).all())


def _non_finite(arrays: Arrays, names: Sequence[str]) -> str:
    import numpy as np

    for array, name in zip(arrays, names, strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"{name} holds values that are not finite"
    return ""
