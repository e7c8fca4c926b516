"""The run in one sentence."""

from __future__ import annotations

from bench.report.model import Report
from bench.report.wording import REFERENCE, backend_name, plural


def headline(report: Report) -> str:
    """E.g. `28 of 30 models measured. ONNX Runtime is faster on 21, eager on 4, 1 too close to tell.`"""
    totals = report.totals
    if not totals.num_rows:
        return "Nothing was recorded in this run."
    noun = "model" if _is_by_model(report) else "configuration"
    if "latency" not in _steps(report):  # nothing was to be measured: `pytest suite`
        passed, steps = totals.outcomes.get("passed", 0), sum(totals.outcomes.values())
        return f"{passed} of {plural(steps, 'step')} passed on {plural(totals.num_rows, noun)}."
    if totals.num_measured == totals.num_planned:
        first = f"{plural(totals.num_planned, noun)} measured."
    else:
        first = f"{totals.num_measured} of {plural(totals.num_planned, noun)} measured."
    return " ".join((first, *(_comparison(report, name) for name in totals.mean_speedup)))


def average(report: Report) -> str:
    """E.g. `ONNX Runtime runs at 1.36 times eager's speed in the geometric mean.`; empty without a comparison."""
    return " ".join(
        f"{backend_name(backend)} runs at {mean:.2f} times eager's speed in the geometric mean."
        for backend, mean in report.totals.mean_speedup.items()
    )


def _comparison(report: Report, backend: str) -> str:
    """How that backend did against eager over all rows, in one sentence."""
    totals = report.totals
    faster, slower = totals.num_faster.get(backend, 0), totals.num_slower.get(backend, 0)
    unclear = totals.num_unclear.get(backend, 0)
    parts = []
    if faster:
        parts.append(f"{backend_name(backend)} is faster on {faster}")
    if slower:
        parts.append(
            f"{REFERENCE} on {slower}"
            if parts
            else f"{backend_name(REFERENCE)} is faster than {backend_name(backend)} on {slower}"
        )
    if unclear:
        parts.append(
            f"{unclear} too close to tell"
            if parts
            else f"{backend_name(backend)} and eager are too close to tell on {unclear}"
        )
    return f"{', '.join(parts)}."


def _steps(report: Report) -> set[str]:
    lanes = (lane for row in report.rows for lane in row.lanes)
    return {s.step for lane in lanes for s in lane.steps} | {s.step for s in report.unfinished}


def _is_by_model(report: Report) -> bool:
    return len({row.model for row in report.rows}) == len(report.rows)
