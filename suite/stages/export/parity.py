"""Worker side. Parity: whether a graph's outputs agree with eager's, and whether the comparison
could have failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from suite.spec import Tolerance
from suite.stages.export.detection_matching import moving_outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]

VACUOUS_BELOW: Final = 10.0
"""Tolerances by which eager's outputs for two inputs must differ. Below that a graph that
ignored its input, or that returned constants, would pass or nearly pass."""

PASSED: Final = "passed"
FAILED: Final = "failed"
VACUOUS: Final = "vacuous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How much eager's outputs move when the input changes."""

    output: str
    """The output that moves least."""
    tolerances: float
    """Its largest difference between two real inputs, in tolerances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeParity:
    """One comparison."""

    axis: str
    """`example`, `input` (another input of the example's shape), or the dynamic axis that was
    changed."""
    extent: int | None
    """Extent of that axis."""
    max_abs: float
    """Largest absolute difference over all outputs, in the outputs' unit; nan when they cannot
    be compared."""
    max_rel: float
    """Largest over the outputs of: absolute difference / largest magnitude in eager's output."""
    spread: float
    """`Spread.tolerances` of the example."""
    verdict: str
    """passed, failed or vacuous."""
    reason: str = ""


def compare(
    axis: str,
    extent: int | None,
    reference: Arrays,
    actual: Arrays,
    spread: Spread,
    *,
    names: Sequence[str],
    tolerance: Tolerance,
) -> ShapeParity:
    """The verdict for `actual` (ONNX Runtime) against `reference` (eager) on the same input.

    Floating-point outputs must be within atol + rtol * |reference|, element by element (as
    torch.testing.assert_close has it), integer ones equal. What agrees is vacuous all the same when
    eager's outputs hardly move (`spread`), are not finite, or have no elements.
    """
    if reason := _mismatch(reference, actual, names):
        return broken(axis, extent, reason)
    max_abs, max_rel = _differences(reference, actual)
    verdict = PASSED
    if reason := _meaningless(reference, names):
        verdict = VACUOUS
    elif reason := _non_finite(actual, names) or _outside(reference, actual, names, tolerance):
        verdict = FAILED
    elif spread.tolerances < VACUOUS_BELOW:
        verdict = VACUOUS
        reason = (
            f"{spread.output}: eager differs between two real inputs by {spread.tolerances:.3g}"
            f" tolerances, and less than {VACUOUS_BELOW:g} cannot show a wrong graph"
        )
    return ShapeParity(
        axis=axis,
        extent=extent,
        max_abs=max_abs,
        max_rel=max_rel,
        spread=spread.tolerances,
        verdict=verdict,
        reason=reason,
    )


def spread_of(
    first: Arrays, second: Arrays, *, names: Sequence[str], tolerance: Tolerance
) -> Spread:
    """How far eager's results for two inputs lie apart, by the output that moves least.

    Of a list of detections only the boxes count: sorted scores are alike on any two pictures. Integer
    outputs count only where there are no others (a label may rightly be the same twice). Outputs of
    unlike shapes are infinitely far apart; an output without elements does not move.
    """
    moving = moving_outputs(names)
    chosen = [
        (name, a, b) for name, a, b in zip(names, first, second, strict=True) if name in moving
    ]
    floats = [row for row in chosen if row[1].dtype.kind == "f"]
    spreads = [
        Spread(output=name, tolerances=_apart(a, b, tolerance.of(name)))
        for name, a, b in floats or chosen
    ]
    return min(spreads, key=lambda spread: spread.tolerances)


def verdict_of(shapes: Sequence[ShapeParity]) -> dict[str, Any]:
    """`facts["parity"]`: the worst verdict (failed, then vacuous, then passed), every shape, and
    the first reason.

    Numbers that are not finite become None, so that the result is strict JSON.
    """
    assert shapes, "a verdict needs at least one comparison"
    rows = [{k: _strict(v) for k, v in asdict(s).items()} for s in shapes]
    for verdict in (FAILED, VACUOUS):
        bad = [s for s in shapes if s.verdict == verdict]
        if bad:
            extent = "" if bad[0].extent is None else f" = {bad[0].extent}"
            reason = f"{bad[0].axis}{extent}: {bad[0].reason}"
            return {"verdict": verdict, "shapes": rows, "reason": reason}
    return {"verdict": PASSED, "shapes": rows, "reason": ""}


def _strict(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def broken(axis: str, extent: int | None, reason: str) -> ShapeParity:
    """The verdict for a graph that did not run on this input, or whose outputs cannot be compared."""
    nan = float("nan")
    return ShapeParity(
        axis=axis,
        extent=extent,
        max_abs=nan,
        max_rel=nan,
        spread=nan,
        verdict=FAILED,
        reason=reason,
    )


def _apart(first: NDArray[Any], second: NDArray[Any], tolerance: Tolerance) -> float:
    """Largest difference of one output between two inputs, in tolerances."""
    import numpy as np

    if not first.size or not second.size:
        return 0.0
    if first.shape != second.shape:
        return float("inf")
    if first.dtype.kind != "f":
        return float("inf") if (first != second).any() else 0.0
    with np.errstate(invalid="ignore"):
        strain = _strain(first, second, tolerance)
    return float(np.where(np.isnan(strain), 0.0, strain).max())


def _meaningless(reference: Arrays, names: Sequence[str]) -> str:
    """Why agreement with this reference would say nothing, or nothing."""
    if empty := [name for name, array in zip(names, reference, strict=True) if not array.size]:
        return f"eager's {empty[0]} has no elements, e.g. no detections"
    reason = _non_finite(reference, names)
    return reason and f"eager's {reason}"


def _mismatch(reference: Arrays, actual: Arrays, names: Sequence[str]) -> str:
    """What makes the two incomparable, or nothing."""
    if len(reference) != len(actual):
        return f"the graph returns {len(actual)} outputs, eager {len(reference)}"
    for a, b, name in zip(reference, actual, names, strict=True):
        if a.shape != b.shape:
            return f"{name}: the graph returns shape {list(b.shape)}, eager {list(a.shape)}"
    return ""


def _differences(reference: Arrays, actual: Arrays) -> tuple[float, float]:
    """Largest absolute difference, and largest relative to its output's magnitude; nan where one
    is nan.
    """
    import numpy as np

    largest_abs = largest_rel = 0.0
    for a, b in zip(reference, actual, strict=True):
        if a.size:
            with np.errstate(invalid="ignore"):
                difference = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
            magnitude = float(np.abs(a).max())
            largest_abs = max(largest_abs, difference)
            largest_rel = max(largest_rel, difference / magnitude if magnitude else difference)
    return largest_abs, largest_rel


def _strain(
    reference: NDArray[Any], actual: NDArray[Any], tolerance: Tolerance
) -> NDArray[np.float64]:
    """|actual - reference| / (atol + rtol * |reference|), element by element: within tolerance
    up to 1.
    """
    import numpy as np

    wide = reference.astype(np.float64)
    allowed = tolerance.atol + tolerance.rtol * np.abs(wide)
    strain: NDArray[np.float64] = np.abs(actual.astype(np.float64) - wide) / allowed
    return strain


def _non_finite(arrays: Arrays, names: Sequence[str]) -> str:
    import numpy as np

    for array, name in zip(arrays, names, strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"{name} holds values that are not finite"
    return ""


def _outside(reference: Arrays, actual: Arrays, names: Sequence[str], tolerance: Tolerance) -> str:
    """Which output strays, by how much; or nothing."""
    for a, b, name in zip(reference, actual, names, strict=True):
        if a.size == 0:
            continue
        if a.dtype.kind != "f":
            wrong = int((a != b).sum())
            if wrong:
                return f"{name}: {wrong} of {a.size} integers differ"
            continue
        own = tolerance.of(name)
        strain = _strain(a, b, own)
        if not strain.max() <= 1.0:
            return (
                f"{name}: {int((~(strain <= 1.0)).sum())} of {a.size} elements stray, the worst by"
                f" {strain.max():.3g} tolerances (rtol {own.rtol:g}, atol {own.atol:g})"
            )
    return ""
