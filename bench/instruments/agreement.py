"""Worker side. Comparison of the outputs of two arms for the same input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.worker.protocol import Emit, Job

PASSED, FAILED, OTHER = "passed", "failed", "other"
"""Verdicts; other: the shapes differ, so the two are not the same function."""


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Fact `pairs`: for each of `options["pairs"]` (key, base, head, rtol, atol) the verdict, the largest difference
    and a reason.
    """
    emit("phase", name="agreement")
    return {"facts": {"pairs": {pair["key"]: agreement(pair) for pair in job.options["pairs"]}}}


def agreement(pair: Mapping[str, Any]) -> dict[str, Any]:
    """Compare two files of outputs: every element within atol + rtol * |base|, NaN where base has NaN."""
    import numpy as np

    try:
        base, head = _arrays(pair["base"]), _arrays(pair["head"])
    except (OSError, ValueError) as error:
        return {"verdict": FAILED, "max_abs": None, "reason": f"outputs cannot be read: {error}"}
    shapes = [[list(a.shape) for a in arrays] for arrays in (base, head)]
    if shapes[0] != shapes[1]:
        reason = f"outputs have the shapes {shapes[1]}, base has {shapes[0]}"
        return {"verdict": OTHER, "max_abs": None, "reason": reason}
    worst, is_close = 0.0, True
    for a, b in zip(base, head, strict=True):
        is_close &= bool(np.allclose(b, a, rtol=pair["rtol"], atol=pair["atol"], equal_nan=True))
        gap = np.abs(b.astype(np.float64) - a)
        worst = max(worst, float(np.nanmax(gap, initial=0.0)) if gap.size else 0.0)
    reason = (
        ""
        if is_close
        else (
            f"outputs differ by up to {worst:.3g}, more than atol {pair['atol']:g} + rtol {pair['rtol']:g}"
        )
    )
    return {"verdict": PASSED if is_close else FAILED, "max_abs": worst, "reason": reason}


def _arrays(path: str) -> list[Any]:
    import numpy as np

    with np.load(Path(path)) as file:
        return [file[name] for name in sorted(file.files)]
