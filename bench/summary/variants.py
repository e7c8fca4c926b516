"""States of a life: the model as trained, masked, pruned, quantized, side by side; from the stages' records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.output.names import REFERENCE
from bench.summary import facts
from bench.summary.elements import Graph
from bench.summary.graphs import count_of, graph_of
from bench.summary.lifecycle_records import MASKED, Quality, State
from bench.summary.model import Row
from bench.summary.pareto import pareto_frontier
from bench.summary.places import variant_rank
from bench.summary.speedups import (
    TRAINED,
    PairedTimings,
    Records,
    clock_of,
    compared,
    paired_timings_of,
)
from suite.axes import BACKENDS, VARIANTS
from suite.quality import drop, gain


def states_of(
    records: Records, rows: Mapping[str, Row], quality: Quality | None
) -> tuple[State, ...]:
    """Every state that a stage has made or timed, and that the benchmark has: as trained first.

    `rows` are the benchmark's rows of the same place by variant; their times go before those of the stages.
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
    found = []
    for (step, variant), record in records.items():
        if step not in ("build", "train", "prune", "quantize") or not (
            record.measurements or record.facts.get("metric")
        ):
            continue
        metric = {k: facts.number(v) for k, v in facts.mapping(record.facts.get("metric")).items()}
        arms = paired_timings_of(record)
        cell, outcome = record.cell.id, record.outcome.value

        def state(
            name: str,
            backend: str,
            value: float | None,
            arm: str,
            cell: str = cell,
            outcome: str = outcome,
            arms: PairedTimings = arms,
        ) -> State:
            return State(
                name=name,
                backend=backend,
                cell=cell,
                outcome=outcome,
                metric=value,
                latency=arms.clock(arm),
            )

        if step == "build":
            train = records.get(("train", TRAINED))
            raw = facts.mapping(train.facts.get("metric")) if train else {}
            found.append(state(variant, REFERENCE, facts.number(raw.get("untrained")), ""))
        elif step == "train":
            prune = records.get(("prune", "pruned"))
            clock = paired_timings_of(prune).clock(TRAINED) if prune else None
            found.append(
                replace(state(variant, REFERENCE, metric.get("trained"), ""), latency=clock)
            )
        elif step == "prune":
            if "masked" in metric:
                arm = state(MASKED, REFERENCE, metric["masked"], "masked")
                found.append(replace(arm, outcome="passed"))
            found.append(state(variant, REFERENCE, metric.get("recovered"), "pruned"))
        else:
            parent = VARIANTS[variant].parent if variant in VARIANTS else TRAINED
            if arms.like_for_like in arms.samples:
                value = (
                    metric.get("float") if arms.like_for_like == "float" else metric.get("parent")
                )
                maker = records.get((VARIANTS[parent].stage, parent))
                found.append(
                    replace(
                        state(parent, record.cell.backend, value, arms.like_for_like),
                        outcome=maker.outcome.value if maker else "passed",
                    )
                )
            found.append(state(variant, record.cell.backend, metric.get("quantized"), "quantized"))
    return found


def _sized(state: State, records: Records, rows: Mapping[str, Row]) -> State:
    """The state with parameters, bytes, MACs and graph: what pruning has taken away, quantizing leaves away."""
    prune = records.get(("prune", "pruned"))
    is_pruned = state.name.startswith("pruned")
    own = facts.mapping(prune.facts.get("after" if is_pruned else "before")) if prune else {}
    build = records.get(("build", "original"))
    row = rows.get(state.name)
    parameters = facts.whole(own.get("parameters"))
    if parameters is None and not is_pruned:
        parameters = count_of(build, "parameters")
    num_bytes, macs = facts.whole(own.get("bytes")), facts.whole(own.get("macs"))
    if row is not None:
        parameters = parameters if row.parameters is None else row.parameters
        num_bytes = num_bytes if row.parameter_bytes is None else row.parameter_bytes
        macs = macs if row.macs is None else row.macs
    graph = _graph(state, records, rows)
    quantize = records.get(("quantize", state.name))
    if quantize is not None:
        size = facts.mapping(quantize.facts.get("bytes"))
        num_bytes = facts.whole(size.get("after"))
    elif state.backend == "onnxruntime":
        num_bytes = graph.num_bytes if graph else None
    return replace(state, parameters=parameters, num_bytes=num_bytes, macs=macs, graph=graph)


def _graph(state: State, records: Records, rows: Mapping[str, Row]) -> Graph | None:
    export = records.get(("export", state.name))
    if export is not None:
        return graph_of(export)
    return rows[state.name].graph if state.name in rows else None


def _judged(states: Sequence[State], quality: Quality | None) -> tuple[State, ...]:
    """The states with what their metric has lost, and which of them nothing beats."""
    first = next((s.metric for s in states if (s.name, s.backend) == (TRAINED, REFERENCE)), None)
    same = {s.name: s.metric for s in states if s.metric is not None}
    states = [s if s.metric is not None else replace(s, metric=same.get(s.name)) for s in states]
    if quality is None or first is None:
        return tuple(states)
    states = [
        s
        if s.metric is None or s.name == "original"
        else replace(s, drop=drop(quality.task, first, s.metric) + 0.0)
        for s in states
    ]
    plotted = [s for s in states if s.ratio is not None and s.drop is not None]
    points = [(s.ratio.value, gain(quality.task, first, s.metric)) for s in plotted]  # type: ignore[union-attr,arg-type]
    best = {id(s) for s, is_on in zip(plotted, pareto_frontier(points), strict=True) if is_on}
    return tuple(replace(s, is_best=True) if id(s) in best else s for s in states)
