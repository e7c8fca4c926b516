"""States of a life: the model as trained, masked, pruned, quantized, side by side; from the stages' records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.report import facts
from bench.report.elements import Graph, Timing
from bench.report.graphs import count_of, graph_of
from bench.report.life import MASKED, Clock, Quality, Ratio, State
from bench.report.model import Row
from bench.report.pareto import front
from bench.report.places import variant_rank
from bench.report.wording import REFERENCE
from bench.stats import percentile
from suite.axes import BACKENDS, VARIANTS
from suite.quality import drop, gain
from suite.record import Record

TRAINED: Final = "trained"
TUNED: Final = "finetune"

OTHER: Final = 2.0
"""A latency that is off by more is not of the same batch: machines drift by tenths between two processes."""

Records = Mapping[tuple[str, str], Record]
"""(step, variant) -> record of one life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arms:
    """What one stage timed in turns in one process: arm -> seconds."""

    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    eager: str = ""
    """The arm that is the stage's starting point in eager PyTorch; empty when none was timed."""
    alike: str = ""
    """The arm that is the starting point in float on the backend that the result runs on."""

    def clock(self, arm: str) -> Clock | None:
        """The arm's median with its interval, or None when it was not timed."""
        found = percentile(self.samples.get(arm, ()), 0.5)
        if found is None:
            return None
        return Clock(p50=found.value, low=found.low, high=found.high, num_samples=found.num_samples)

    def ratio(self, arm: str) -> Ratio | None:
        """How many times faster than the eager arm, by neighbouring samples."""
        before, after = self.samples.get(self.eager, ()), self.samples.get(arm, ())
        if not before or len(before) != len(after):
            return None
        found = percentile([a / b for a, b in zip(before, after, strict=True)], 0.5)
        if found is None:
            return None
        return Ratio(value=found.value, low=found.low, high=found.high, is_paired=True)


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
            states[place] = replace(known, latency=_clock(lane.timing))
    found = [_sized(state, records, rows) for state in states.values()]
    found = _compared(found, records, rows)
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
        arms = _arms(record)
        cell, outcome = record.cell.id, record.outcome.value

        def state(
            name: str,
            backend: str,
            value: float | None,
            arm: str,
            cell: str = cell,
            outcome: str = outcome,
            arms: _Arms = arms,
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
            clock = _arms(prune).clock(TRAINED) if prune else None
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
            if arms.alike in arms.samples:
                value = metric.get("float") if arms.alike == "float" else metric.get("parent")
                maker = records.get((VARIANTS[parent].stage, parent))
                found.append(
                    replace(
                        state(parent, record.cell.backend, value, arms.alike),
                        outcome=maker.outcome.value if maker else "passed",
                    )
                )
            found.append(state(variant, record.cell.backend, metric.get("quantized"), "quantized"))
    return found


def _arms(record: Record) -> _Arms:
    raw = facts.mapping(record.facts.get("latency"))
    samples = {str(name): facts.seconds(values) for name, values in raw.items()}
    samples = {name: values for name, values in samples.items() if values}
    if record.step == "prune":
        return _Arms(samples=samples, eager=TRAINED)
    if "compiled" in samples:  # two floats: as the module is, and compiled as the result is
        return _Arms(samples=samples, eager="float", alike="compiled")
    return _Arms(samples=samples, eager="eager" if "eager" in samples else "", alike="float")


def _clock(timing: Timing) -> Clock:
    return Clock(p50=timing.p50, low=timing.low, high=timing.high, num_samples=timing.num_samples)


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


def _compared(states: Sequence[State], records: Records, rows: Mapping[str, Row]) -> list[State]:
    """The states with their ratio to the trained model in eager PyTorch."""
    reference, is_benched = _reference(states, rows)
    prune = records.get(("prune", "pruned"))
    pruning = _arms(prune).ratio("pruned") if prune else None
    macs = next((s.macs for s in states if s.name in (TRAINED, "original") and s.macs), None)
    found = []
    for state in states:
        ratio: Ratio | None = None
        row = rows.get(state.name)
        lane = row.lane(state.backend) if row else None
        if (state.name, state.backend) == (TRAINED, REFERENCE):
            ratio = Ratio(value=1.0, low=None, high=None, is_paired=True) if reference else None
        elif not (is_benched and lane is not None and lane.timing is not None):
            ratio = _in_turns(state, records, pruning)
        if ratio is None and reference and state.latency:
            ratio = _across(reference, state.latency)
        left = macs / state.macs if macs and state.macs else None
        found.append(
            replace(
                state,
                ratio=ratio,
                macs_ratio=left,
                is_other_batch=_is_other_batch(state.latency, ratio, reference),
            )
        )
    return found


def _is_other_batch(own: Clock | None, ratio: Ratio | None, reference: Clock | None) -> bool:
    """Whether a latency is far from what its own ratio makes of the reference's: it cannot be of the same batch."""
    if own is None or ratio is None or reference is None:
        return False
    expected = reference.p50 / ratio.value
    return not 1 / OTHER < own.p50 / expected < OTHER


def _reference(states: Sequence[State], rows: Mapping[str, Row]) -> tuple[Clock | None, bool]:
    """Eager, trained; or as built, which is as fast; and whether the benchmark has timed it."""
    for name in (TRAINED, "original"):
        lane = rows[name].lane(REFERENCE) if name in rows else None
        if lane is not None and lane.timing is not None:
            return _clock(lane.timing), True
    found = (s.latency for s in states if (s.name, s.backend) == (TRAINED, REFERENCE))
    return next(found, None), False


def _in_turns(state: State, records: Records, pruning: Ratio | None) -> Ratio | None:
    """The ratio by what was timed in turns in the stage's own process; chained over pruning where that came first."""
    if state.name == MASKED or (state.name, state.backend) == ("pruned", REFERENCE):
        prune = records.get(("prune", "pruned"))
        return _arms(prune).ratio(state.name) if prune else None
    for (step, variant), record in records.items():
        if step != "quantize" or variant not in VARIANTS or record.cell.backend != state.backend:
            continue
        arms, parent = _arms(record), VARIANTS[variant].parent
        arm = {variant: "quantized", parent: arms.alike}.get(state.name)
        ratio = arms.ratio(arm) if arm else None
        if ratio is None:
            continue
        return ratio if parent == TRAINED else _chained(pruning, ratio)
    return None


def _chained(first: Ratio | None, second: Ratio) -> Ratio | None:
    if first is None:
        return None
    ends = (first.low, first.high, second.low, second.high)
    low = high = None
    if all(ends):
        low, high = (first.low or 0) * (second.low or 0), (first.high or 0) * (second.high or 0)
    return Ratio(value=first.value * second.value, low=low, high=high, is_paired=False)


def _across(reference: Clock, own: Clock) -> Ratio:
    """The ratio of two processes, with the worst case of both intervals."""
    low = high = None
    if reference.low and reference.high and own.low and own.high:
        low, high = reference.low / own.high, reference.high / own.low
    return Ratio(value=reference.p50 / own.p50, low=low, high=high, is_paired=False)


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
    best = {id(s) for s, is_on in zip(plotted, front(points), strict=True) if is_on}
    return tuple(replace(s, is_best=True) if id(s) in best else s for s in states)
