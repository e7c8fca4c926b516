"""Rows of the report: the records of one model, size, device, dtype and batch side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from bench.report.endings import row_id, step_of
from bench.report.lanes import Doubter, lane_of, speedups_of
from bench.report.model import Graph, Parity, Row
from suite.axes import BACKENDS
from suite.cell import Cell
from suite.record import Record

_Shared = Mapping[tuple[str, str], Sequence[Record]]


def rows_of(records: Iterable[Record], doubter: Doubter) -> tuple[Row, ...]:
    """One row per (model, size, device, dtype, batch), in the order in which the run met them."""
    groups: dict[tuple[str, str, str, str, int], list[Record]] = {}
    shared: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        cell = record.cell
        place = (cell.model, cell.size, cell.device, cell.dtype, cell.batch)
        groups.setdefault(place, []).append(record)
        if record.step in ("export", "size"):
            # Taken once per model and size; other devices, dtypes and batches share them.
            shared.setdefault((cell.model, cell.size), []).append(record)
    measured = {place[:2] for place, group in groups.items() if _has_own(group)}
    return tuple(
        _row(group, shared, doubter)
        for place, group in groups.items()
        # A run on a GPU alone exports on the CPU: that is no row, its graph is in the GPU's row.
        if _has_own(group) or place[:2] not in measured
    )


def _has_own(group: Sequence[Record]) -> bool:
    return any(record.step not in ("export", "size") for record in group)


def _row(group: Sequence[Record], shared: _Shared, doubter: Doubter) -> Row:
    cell = group[0].cell
    common = shared.get((cell.model, cell.size), ())
    size = _closest(cell, [r for r in common if r.step == "size"])
    export = _closest(cell, [r for r in common if r.step == "export"])
    by_backend: dict[str, list[Record]] = {}
    for record in group:
        by_backend.setdefault(record.cell.backend, []).append(record)
    order = {name: place for place, name in enumerate(BACKENDS)}
    lanes = tuple(
        lane_of(backend, by_backend[backend], doubter)
        for backend in sorted(by_backend, key=lambda name: (order.get(name, len(order)), name))
    )
    own = {record.key for record in group}
    return Row(
        shared=tuple(step_of(r) for r in (size, export) if r is not None and r.key not in own),
        id=row_id(cell),
        model=cell.model,
        size=cell.size,
        device=cell.device,
        dtype=cell.dtype,
        batch=cell.batch,
        lanes=lanes,
        speedups=speedups_of(lanes),
        parameters=_count(size, "parameters"),
        parameter_bytes=_count(size, "parameter_bytes"),
        macs=_count(size, "macs"),
        graph=_graph(export),
        parity=_parity(export),
    )


def _closest(cell: Cell, records: Sequence[Record]) -> Record | None:
    """The record whose cell has most in common with `cell`."""
    return max(
        records,
        key=lambda r: (
            r.cell.batch == cell.batch,
            r.cell.dtype == cell.dtype,
            r.cell.device == cell.device,
            r.outcome.has_run,
        ),
        default=None,
    )


def _count(record: Record | None, metric: str) -> int | None:
    if record is None:
        return None
    measurement = record.measurement(metric)
    return _whole(
        measurement.samples[0] if measurement and measurement.samples else record.facts.get(metric)
    )


def _graph(export: Record | None) -> Graph | None:
    if export is None:
        return None
    facts = export.facts.get("onnx")
    facts = facts if isinstance(facts, Mapping) else {}
    artifact = next((a for a in export.artifacts if a.kind == "onnx"), None)
    if artifact is None and not facts:
        return None
    operators = facts.get("operators")
    pairs = operators.items() if isinstance(operators, Mapping) else ()
    counts = {str(name): number for name, number in pairs if isinstance(number, int)}
    return Graph(
        path=artifact.path if artifact else "",
        num_bytes=_count(export, "onnx_bytes")
        or _whole(artifact.num_bytes if artifact else facts.get("num_bytes")),
        opset=_whole(facts.get("opset")),
        exporter=str(facts.get("exporter") or ""),
        num_nodes=_count(export, "onnx_nodes") or _whole(facts.get("num_nodes")),
        operators=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _parity(export: Record | None) -> Parity | None:
    facts = export.facts.get("parity") if export else None
    if not isinstance(facts, Mapping):
        return None
    shapes = facts.get("shapes")
    return Parity(
        verdict=str(facts.get("verdict") or "unknown"),
        reason=str(facts.get("reason") or ""),
        shapes=tuple(shape for shape in shapes if isinstance(shape, Mapping))
        if isinstance(shapes, (list, tuple))
        else (),
    )


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
