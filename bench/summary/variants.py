"""States of a life: the model trained, masked, pruned and quantized, side by side; from the stages' records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bench.summary.elements import Graph
from bench.summary.graphs import count_of, graph_of
from bench.summary.lifecycle_records import MASKED, Quality, State
from bench.summary.model import Row
from bench.summary.places import variant_rank
from bench.summary.speedups import Records, clock_of, compared, paired_timings_of
from bench.summary.stage_results import moments_of
from suite.axes import (
    BACKENDS,
    BUILD,
    EXPORT,
    ORIGINAL,
    PRUNE,
    PRUNED,
    QUANTIZE,
    REFERENCE,
    TRAIN,
    TRAINED,
    VARIANTS,
)
from suite.quality import drop, gain
from suite.record import Record
from suite.results.prune import PruneResult
from suite.results.quantize import QuantizeResult

Moments = Mapping[str, float]
"""See `moments_of`."""


def states_of(
    records: Records, rows: Mapping[str, Row], quality: Quality | None
) -> tuple[State, ...]:
    """Return every state that a stage made or timed, and those of the benchmark: the trained one first.

    `rows` are the benchmark's rows of the same place by variant; their times take precedence over those of the stages.
    """
    states = {(state.name, state.backend): state for state in _stage_states(records)}
    for name, row in rows.items():
        for lane in row.lanes if states else ():
            if lane.timing is None:
                continue
            place = (name, lane.backend)
            known = states.get(place) or State(
                name=name, backend=lane.backend, cell=lane.cell, outcome="passed"
            )
            states[place] = replace(known, latency=clock_of(lane.timing))
    found = [_sized(state, records, rows) for state in states.values()]
    found = compared(found, records, rows)
    return _judged(sorted(found, key=_rank), quality)


def _rank(state: State) -> tuple[tuple[int, str], bool, int]:
    name = TRAINED if state.name == MASKED else state.name
    order = list(BACKENDS)
    backend = order.index(state.backend) if state.backend in order else len(order)
    return variant_rank(name), state.name == MASKED, backend


def _stage_states(records: Records) -> list[State]:
    found: list[State] = []
    for (step, variant), record in records.items():
        metric = moments_of(record)
        if record.measurements or metric:
            make = _STATES_OF.get(step)
            found += make(record, variant, metric, records) if make else ()
    return found


def _state(record: Record, name: str, backend: str, metric: float | None, arm: str = "") -> State:
    """Return a state that the record's stage made or timed; `arm` names its timings."""
    return State(
        name=name,
        backend=backend,
        cell=record.cell.id,
        outcome=record.outcome.value,
        metric=metric,
        latency=paired_timings_of(record).clock(arm),
    )


def _built(record: Record, variant: str, _: Moments, records: Records) -> list[State]:
    train = records.get((TRAIN, TRAINED))
    untrained = moments_of(train).get("untrained") if train else None
    return [_state(record, variant, REFERENCE, untrained)]


def _trained(record: Record, variant: str, metric: Moments, records: Records) -> list[State]:
    prune = records.get((PRUNE, PRUNED))
    state = _state(record, variant, REFERENCE, metric.get(TRAINED))
    return [replace(state, latency=paired_timings_of(prune).clock(TRAINED) if prune else None)]


def _pruned(record: Record, variant: str, metric: Moments, _: Records) -> list[State]:
    own = _state(record, variant, REFERENCE, metric.get("recovered"), PRUNED)
    if "masked" not in metric:
        return [own]
    masked = _state(record, MASKED, REFERENCE, metric["masked"], "masked")
    return [replace(masked, outcome="passed"), own]


def _quantized(record: Record, variant: str, metric: Moments, records: Records) -> list[State]:
    """Return the quantized state, and its parent on the same backend if that was timed."""
    backend = record.cell.backend
    own = _state(record, variant, backend, metric.get("quantized"), "quantized")
    if isinstance(record.result, QuantizeResult) and (found := record.result.fidelity) is not None:
        error, agreement = found.relative_error, found.argmax_agreement
        own = replace(own, relative_error=error, agreement=agreement)
    arms = paired_timings_of(record)
    if arms.like_for_like not in arms.samples:
        return [own]
    parent = VARIANTS[variant].parent if variant in VARIANTS else TRAINED
    value = metric.get("float" if arms.like_for_like == "float" else "parent")
    maker = records.get((VARIANTS[parent].stage, parent))
    before = _state(record, parent, backend, value, arms.like_for_like)
    return [replace(before, outcome=maker.outcome.value if maker else "passed"), own]


_STATES_OF: Final[Mapping[str, Callable[[Record, str, Moments, Records], list[State]]]] = {
    BUILD: _built,
    TRAIN: _trained,
    PRUNE: _pruned,
    QUANTIZE: _quantized,
}
"""Stage -> function that returns the states with figures in its record."""


def _sized(state: State, records: Records, rows: Mapping[str, Row]) -> State:
    """Return the state with parameters, bytes, MACs and graph: quantizing keeps what pruning removed."""
    prune = records.get((PRUNE, PRUNED))
    is_pruned = state.name.startswith(PRUNED)
    result = prune.result if prune and isinstance(prune.result, PruneResult) else PruneResult()
    own = result.after if is_pruned else result.before
    build = records.get((BUILD, ORIGINAL))
    row = rows.get(state.name)
    parameters = own.parameters if own else None
    if parameters is None and not is_pruned:
        parameters = count_of(build, "parameters")
    num_bytes, macs = (own.bytes, own.macs) if own else (None, None)
    if row is not None:
        parameters = parameters if row.parameters is None else row.parameters
        num_bytes = num_bytes if row.parameter_bytes is None else row.parameter_bytes
        macs = macs if row.macs is None else row.macs
    graph = _graph(state, records, rows)
    quantize = records.get((QUANTIZE, state.name))
    if quantize is not None:
        report = quantize.result.report if isinstance(quantize.result, QuantizeResult) else None
        num_bytes = report.bytes.after if report and report.bytes else None
    elif state.backend in BACKENDS and BACKENDS[state.backend].needs_graph:
        num_bytes = graph.num_bytes if graph else None
    return replace(state, parameters=parameters, num_bytes=num_bytes, macs=macs, graph=graph)


def _graph(state: State, records: Records, rows: Mapping[str, Row]) -> Graph | None:
    export = records.get((EXPORT, state.name))
    if export is not None:
        return graph_of(export)
    return rows[state.name].graph if state.name in rows else None


def _judged(states: Sequence[State], quality: Quality | None) -> tuple[State, ...]:
    """Return the states with the loss of their metric, and the Pareto-optimal ones marked."""
    first = next((s.metric for s in states if (s.name, s.backend) == (TRAINED, REFERENCE)), None)
    same = {s.name: s.metric for s in states if s.metric is not None}
    states = [s if s.metric is not None else replace(s, metric=same.get(s.name)) for s in states]
    if quality is None or first is None:
        return tuple(states)
    states = [
        s
        if s.metric is None or s.name == ORIGINAL
        else replace(s, drop=drop(quality.task, first, s.metric) + 0.0)
        for s in states
    ]
    plotted = [s for s in states if s.ratio and s.ratio.is_known and s.drop is not None]
    points = [(s.ratio.value, gain(quality.task, first, s.metric)) for s in plotted]  # type: ignore[union-attr,arg-type]
    best = {id(s) for s, is_on in zip(plotted, pareto_frontier(points), strict=True) if is_on}
    return tuple(replace(s, is_best=True) if id(s) in best else s for s in states)


# Pareto frontier of points.


def pareto_frontier(points: Sequence[tuple[float, ...]]) -> tuple[bool, ...]:
    """Return for each point, larger being better on every axis: whether no other is as good in all and better in one.

    Equal points are on the front together.
    """
    return tuple(
        not any(
            other != point and all(a >= b for a, b in zip(other, point, strict=True))
            for other in points
        )
        for point in points
    )
