"""Whether a lane gives the answers that eager float32 gives: by its own step, or by the parity of its graph."""

from __future__ import annotations

from bench.summary.lane_facts import Likeness
from bench.summary.model import Row
from suite.axes import DTYPES, ONNXRUNTIME, REFERENCE

FAILED = "failed"


def is_wrong(row: Row, backend: str) -> bool:
    """Return whether it is known that the lane's answers are not those of eager float32."""
    lane = row.lane(backend)
    if lane is not None and lane.likeness is not None:
        return lane.likeness.holds is False
    return _parity(row, backend) == FAILED


def likeness_text(row: Row, backend: str) -> str:
    """Return in a few words how the lane's answers compare: `answers as exact as eager's`, `answers not compared`."""
    lane = row.lane(backend)
    if lane is not None and lane.likeness is not None:
        return f"answers {verdict_text(lane.likeness)}"
    if backend == REFERENCE and row.dtype == DTYPES[0]:
        return "the reference itself"
    words = {
        "passed": "answers as exact as eager's",
        "vacuous": "answers too constant to compare",
        FAILED: "answers differ from eager's",
    }
    return words.get(_parity(row, backend), "answers not compared with eager's")


def verdict_text(own: Likeness) -> str:
    """Return `as exact as eager's`, `0.3% off eager float32, within bfloat16`, or `not those of eager`."""
    off = error_text(own.relative_error)
    if own.holds is False:
        return f"not those of eager{f', {off} off' if off else ''}"
    if own.holds is None:
        return "not judged"
    if own.kind == DTYPES[0]:
        return "as exact as eager's"
    return f"{off or 'not far'} off eager float32, within {own.kind}"


def error_text(error: float | None) -> str:
    """Return a relative error with two digits: `0.31%`, `1.2e-07`; empty without one."""
    if error is None:
        return ""
    return "0%" if not error else f"{100 * error:.2g}%" if error >= 1e-5 else f"{error:.1e}"


def _parity(row: Row, backend: str) -> str:
    """Return the verdict of the export on the graph that this lane runs; empty for another lane.

    Only ONNX Runtime's own session is compared there: another library may compute the same graph otherwise.
    """
    return row.parity.verdict if row.parity and backend == ONNXRUNTIME else ""
