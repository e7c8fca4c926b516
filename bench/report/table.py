"""Rich table of the report's rows, with the columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from rich.table import Table
from rich.text import Text

from bench.output.names import (
    COMPARISON_STYLES,
    NOT_REACHED,
    STYLES,
    backend_short,
    metric_name,
    outcome_name,
)
from bench.report.columns import Column, drawn
from bench.summary.elements import Timing
from bench.summary.labels import backends_of, labels_of, ratio_text
from bench.summary.model import Report, Row
from suite import units
from suite.axes import REFERENCE

NAME: Final = 20
"""Minimum characters to which a model's name is shortened."""
ORDER: Final = (
    "model",
    "p50",
    "speed-up",
    "parity",
    "peak RSS delta",
    "params",
    "ONNX file",
    "cold start",
    "peak tensor bytes",
)
"""Columns, the most important first."""


def table_of(report: Report, width: int) -> Table:
    """Return the report's rows in as many columns as fit into `width` characters, the most important first."""
    columns = _columns(report)
    taken = _fitting(columns, width)
    return drawn({name: column for name, column in columns.items() if name in taken})


def _fitting(columns: dict[str, Column], width: int) -> set[str]:
    """Return names of the columns that fit, the most important first; a metric has all its backends or none.

    The model's name may be shortened to NAME characters; it and the latencies are always included.
    """
    metrics: dict[str, list[str]] = {}
    for name in columns:
        metrics.setdefault(name.rpartition("\n")[2], []).append(name)
    taken: set[str] = set()
    used = 0
    for metric in sorted(metrics, key=_rank):
        widths = (columns[name].width for name in metrics[metric])
        need = sum(min(w, NAME) if metric == "model" else w for w in widths) + 2 * len(
            metrics[metric]
        )
        if used + need <= width or metric in ORDER[:2]:
            taken.update(metrics[metric])
            used += need
    return taken


def _rank(metric: str) -> int:
    return ORDER.index(metric) if metric in ORDER else len(ORDER)


def _columns(report: Report) -> dict[str, Column]:
    rows, labels = report.rows, labels_of(report)
    found = {"model": _column("model", rows, lambda row: Text(labels[row.id]), is_number=False)}
    backends = backends_of(report)
    for backend in backends:
        name = f"{backend_short(backend)}\np50"
        found[name] = _column(name, rows, partial(_latency, backend=backend))
    for backend in backends:
        if backend != REFERENCE and any(s.backend == backend for r in rows for s in r.speedups):
            name = f"{backend_short(backend)}\nspeed-up"
            found[name] = _column(name, rows, partial(_ratio, backend=backend))
    for metric in ("peak_rss_delta", "peak_tensor_bytes", "cuda_allocated"):
        for backend in backends:
            name = f"{backend_short(backend)}\n{metric_name(metric)}"
            found[name] = _column(name, rows, partial(_memory, backend=backend, metric=metric))
    for backend in backends:
        name = f"{backend_short(backend)}\ncold start"
        found[name] = _column(name, rows, partial(_cold, backend=backend))
    found["params"] = _column(
        "params", rows, lambda row: Text(units.scaled_count(row.parameters, ""))
    )
    found["MACs"] = _column("MACs", rows, lambda row: Text(units.scaled_count(row.macs, "")))
    found["ONNX file"] = _column("ONNX file", rows, _graph)
    found["parity"] = _column("parity", rows, _parity, is_number=False)
    for backend in backends:
        name = f"{backend_short(backend)}\nthroughput"
        found[name] = _column(name, rows, partial(_throughput, backend=backend))
    found["training step"] = _column("training\nstep", rows, _training)
    found["data loading"] = _column("data\nloading", rows, _loading)
    return {
        name: column
        for name, column in found.items()
        if name == "model" or any(cell.plain not in ("", units.ABSENT) for cell in column.cells)
    }


def _column(
    title: str, rows: tuple[Row, ...], cell: Callable[[Row], Text], *, is_number: bool = True
) -> Column:
    head = title.replace("peak RSS", "peak RSS\n").replace("tensor bytes", "tensor\nbytes")
    return Column(head.replace("\n ", "\n"), [cell(row) for row in rows], is_number)


def _timing(row: Row, backend: str) -> Timing | None:
    lane = row.lane(backend)
    return lane.timing if lane else None


def _latency(row: Row, backend: str) -> Text:
    lane = row.lane(backend)
    timing = lane.timing if lane else None
    if lane is None:
        return Text("")
    if timing is None:
        step = next((step for step in lane.steps if step.step == "latency"), None)
        outcome = step.outcome if step else NOT_REACHED
        return Text(outcome_name(outcome), style=STYLES.get(outcome, "")) if step else Text("-")
    text = Text(units.seconds(timing.p50), style="bold green" if row.fastest == backend else "")
    width = timing.relative_half_width
    interval = units.half_width(width)
    text.append(f" {interval:>5}", style="not bold dim")
    # Always reserve space for the mark, so that the numbers of a column stay aligned.
    is_doubted = any(doubt.metric == "latency" for doubt in lane.doubts)
    return text.append("?" if is_doubted else " ", style="not bold yellow")


def _ratio(row: Row, backend: str) -> Text:
    speedup = next((s for s in row.speedups if s.backend == backend), None)
    if speedup is None:
        return Text("")
    return Text(ratio_text(speedup), style=COMPARISON_STYLES[speedup.verdict])


def _memory(row: Row, backend: str, metric: str) -> Text:
    lane = row.lane(backend)
    return Text(units.num_bytes(lane.quantity(metric)) if lane else "")


def _cold(row: Row, backend: str) -> Text:
    lane = row.lane(backend)
    total = sum(q.value for q in lane.coldstart) if lane and lane.coldstart else None
    return Text(units.seconds(total))


def _throughput(row: Row, backend: str) -> Text:
    timing = _timing(row, backend)
    return Text(units.rate(timing.throughput, timing.throughput_unit) if timing else "")


def _training(row: Row) -> Text:
    return Text(
        units.seconds(row.learning.step.p50 if row.learning and row.learning.step else None)
    )


def _loading(row: Row) -> Text:
    rates = [loading.rate for loading in row.learning.loading] if row.learning else []
    return Text(units.rate(max(rates)) if rates else "")


def _graph(row: Row) -> Text:
    return Text(units.num_bytes(row.graph.num_bytes) if row.graph else "")


def _parity(row: Row) -> Text:
    verdict = row.parity.verdict if row.parity else ""
    style = {"passed": "green", "failed": "bold red", "vacuous": "yellow"}.get(verdict, "")
    return Text(verdict, style=style)
