"""One-sentence summary of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.output.names import COMPARISONS, backend_name, plural, variant_name
from bench.summary.labels import mean_text
from bench.summary.model import Mean, Report
from suite.axes import REFERENCE


def headline(report: Report) -> str:
    """Return e.g. `28 of 30 models measured. ONNX Runtime is faster on 21, eager on 4, 1 too close to tell.`

    For a run without measurements, `401 of 420 steps passed on 28 models. 123 of 126 known answers came out.`
    """
    totals = report.totals
    if not totals.num_rows:
        return _of_stages(report)
    noun = "model" if _is_by_model(report) else "configuration"
    if "latency" not in _steps(report):
        passed, steps = totals.outcomes.get("passed", 0), sum(totals.outcomes.values())
        return f"{passed} of {plural(steps, 'step')} passed on {plural(totals.num_rows, noun)}."
    if totals.num_measured == totals.num_planned:
        first = f"{plural(totals.num_planned, noun)} measured."
    else:
        first = f"{totals.num_measured} of {plural(totals.num_planned, noun)} measured."
    counts = (totals.num_faster, totals.num_slower, totals.num_same, totals.num_few)
    backends = dict.fromkeys(backend for count in counts for backend in count)
    told = [name for name in backends if any(name in count for count in counts[:3])]
    unknown = [backend_name(name) for name in backends if name not in told]
    more = [f"Too few pairs to compare {_listed(unknown)} with {REFERENCE}."] if unknown else []
    return " ".join((first, *(_comparison(report, name) for name in told), *more))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def average(report: Report) -> str:
    """Return e.g. `ONNX Runtime runs at 1.36× (1.33–1.39×) eager's speed in the geometric mean of 26 models.`; empty
    without a ratio that has an interval.
    """
    row_noun = "model" if _is_by_model(report) else "configuration"
    totals = report.totals
    parts = [
        f"{backend_name(backend)} runs at {mean_text(mean)} eager's speed"
        f" {'in the geometric mean of' if mean.num > 1 else 'on'} {plural(mean.num, row_noun)}."
        for backend, mean in report.totals.mean_speedup.items()
    ]
    noun = "model" if len({life.model for life in report.lives}) == len(report.lives) else "life"
    means = [
        f"{variant_name(name)} {mean_text(mean)} ({_of(mean.num, noun)})"
        for name, mean in report.totals.mean_state_speedup.items()
    ]
    if means:
        parts.append(
            f"Speed against the trained model in eager PyTorch{_mean_of(totals.mean_state_speedup)}:"
            f" {', '.join(means)}."
        )
    alike = [
        f"{variant_name(name)} {mean_text(mean)} ({_of(mean.num, noun)})"
        for name, mean in report.totals.mean_like_for_like.items()
    ]
    if alike:
        parts.append(
            f"Against the float state on the same backend{_mean_of(totals.mean_like_for_like)}:"
            f" {', '.join(alike)}."
        )
    return " ".join(parts)


def _mean_of(means: Mapping[str, Mean]) -> str:
    return ", in the geometric mean" if any(mean.num > 1 for mean in means.values()) else ""


def _of(count: int, noun: str) -> str:
    return f"{count} lives" if noun == "life" and count != 1 else plural(count, noun)


def _of_stages(report: Report) -> str:
    parts = []
    if report.lives:
        ends = Counter(stage.step.outcome for life in report.lives for stage in life.stages)
        what = plural(ends.total(), "step")
        parts.append(
            f"{ends['passed']} of {what} passed on {plural(report.totals.num_models, 'model')}."
        )
    if report.foundations:
        ends = Counter(case.step.outcome for case in report.foundations)
        parts.append(f"{ends['passed']} of {plural(ends.total(), 'known answer')} came out.")
    return " ".join(parts) or "Nothing was recorded in this run."


def _comparison(report: Report, backend: str) -> str:
    """Return the comparison of that backend with eager over all rows, in one sentence."""
    totals = report.totals
    faster, slower = totals.num_faster.get(backend, 0), totals.num_slower.get(backend, 0)
    same, few = totals.num_same.get(backend, 0), totals.num_few.get(backend, 0)
    parts = []
    if faster:
        parts.append(f"{backend_name(backend)} is faster on {faster}")
    if slower:
        parts.append(
            f"{REFERENCE} on {slower}"
            if parts
            else f"{backend_name(REFERENCE)} is faster than {backend_name(backend)} on {slower}"
        )
    for number, words in ((same, COMPARISONS["same"][1]), (few, COMPARISONS["few"][1])):
        if number:
            parts.append(
                f"{number} {words}"
                if parts
                else f"{backend_name(backend)} and eager: {number} {words}"
            )
    return f"{', '.join(parts)}."


def _steps(report: Report) -> set[str]:
    lanes = (lane for row in report.rows for lane in row.lanes)
    return {s.step for lane in lanes for s in lane.steps} | {s.step for s in report.unfinished}


def _is_by_model(report: Report) -> bool:
    return len({row.model for row in report.rows}) == len(report.rows)
