"""Worker side. Comparison of the outputs of two arms for the same input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.instruments.options import AgreementOptions, OutputPair
from bench.instruments.results import Agreement, AgreementResult
from suite.results.step_output import StepOutput
from suite.worker.protocol import Emit, Job

PASSED, FAILED, OTHER = "passed", "failed", "other"
"""Verdicts; other: the shapes differ, so the two are not the same function."""


def run(job: Job, emit: Emit) -> StepOutput[AgreementResult]:
    """Compare each pair of the job's AgreementOptions."""
    emit("phase", name="agreement")
    pairs = job.read(AgreementOptions).pairs
    return StepOutput(result=AgreementResult(pairs={pair.key: agreement(pair) for pair in pairs}))


def agreement(pair: OutputPair) -> Agreement:
    """Compare two files of outputs: every element within atol + rtol times its own magnitude or the output's scale
    (root mean square of the sample), whichever is larger; NaN where base has NaN.

    An element near zero is a difference of large ones: it has their error, and two builds of a library give it two
    values.
    """
    import numpy as np

    try:
        base, head = _arrays(pair.base), _arrays(pair.head)
    except (OSError, ValueError) as error:
        return Agreement(verdict=FAILED, reason=f"outputs cannot be read: {error}")
    shapes = [[list(a.shape) for a in arrays] for arrays in (base, head)]
    if shapes[0] != shapes[1]:
        reason = f"outputs have the shapes {shapes[1]}, base has {shapes[0]}"
        return Agreement(verdict=OTHER, reason=reason)
    worst, is_close = 0.0, True
    for a, b in zip(base, head, strict=True):
        is_close &= _close(a, b, rtol=pair.rtol, atol=pair.atol)
        gap = np.abs(b.astype(np.float64) - a)
        worst = max(worst, float(np.nanmax(gap, initial=0.0)) if gap.size else 0.0)
    reason = (
        ""
        if is_close
        else (
            f"outputs differ by up to {worst:.3g}, more than atol {pair.atol:g} + rtol {pair.rtol:g}"
        )
    )
    return Agreement(verdict=PASSED if is_close else FAILED, max_abs=worst, reason=reason)


def _close(base: Any, head: Any, *, rtol: float, atol: float) -> bool:
    """True if the two arrays of one shape agree."""
    import numpy as np

    wide = base.astype(np.float64)
    finite = np.where(np.isfinite(wide), wide, 0.0)
    axes = tuple(range(min(1, wide.ndim - 1), wide.ndim))
    scale = np.sqrt(np.mean(finite * finite, axis=axes, keepdims=True)) if wide.size else 0.0
    is_integer = all(np.array_equal(a, np.rint(a)) for a in (finite, head))
    if is_integer:
        scale, finite = 0.0, np.zeros_like(wide)  # labels and token ids: one off is another one
    allowed = atol + rtol * np.maximum(np.abs(finite), scale)
    with np.errstate(invalid="ignore"):
        near = np.abs(head.astype(np.float64) - wide) <= allowed
    same = (head == base) | (np.isnan(wide) & np.isnan(head))
    return bool((near | same).all())


def _arrays(path: str) -> list[Any]:
    import numpy as np

    with np.load(Path(path)) as file:
        return [file[name] for name in sorted(file.files)]
