"""Comparison of every cell before anything is timed: outcome, outputs, sizes, memory, quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.gate.arm import Arm, OlderWorker
from bench.gate.exact import (
    NOISY,
    Values,
    compare_quality,
    compare_repeats,
    compare_values,
    metric_values,
)
from bench.gate.pairing import run_in_both_arms
from bench.gate.row import Exact, Row
from bench.gate.verdict import Verdict
from bench.instruments.options import LATENCY, AgreementOptions, OutputPair, StaticFactsOptions
from bench.instruments.results import Agreement, AgreementResult, StaticFactsResult
from suite.axes import BACKENDS, EXPORT
from suite.cell import Cell
from suite.engine.steps import graph_cell, is_original
from suite.outcome import Outcome
from suite.record import Record
from suite.results.step_result import StageResult
from suite.worker.job_options import JobOptions
from suite.worker.protocol import Job

FACTS: Final = "bench.instruments.static_facts:run"
AGREEMENT: Final = "bench.instruments.agreement:run"
MEMORY_REPEATS: Final = 5
"""Fresh processes of each arm for a memory metric that regressed; the first measurement does not count."""
WEIGHTS_CHANGED_SHARE: Final = 0.005
"""Change of a graph's bytes (share) above which its weights changed; names and shapes account for less."""
NOT_TRIED: Final = (Outcome.UNSUPPORTED, Outcome.UNAVAILABLE, Outcome.KNOWN_BUG)

Say = Callable[[str], None]


def compare_static_facts(
    rows: Sequence[Row], arms: Mapping[str, Arm], folder: Path, say: Say
) -> None:
    """Fill in everything of the rows except latency: outcome in both arms, parity, exact values, quality."""
    outputs = {name: folder / name / "outputs" for name in arms}
    for place in outputs.values():
        place.mkdir(parents=True, exist_ok=True)
    _leave_out(rows, arms)
    timed = [row for row in rows if row.is_timed and row.step == LATENCY]
    cells = [row.cell for row in timed]
    say(f"graphs, sizes and memory of {len(cells)} cells in both arms")

    def work(name: str) -> dict[str, tuple[Record, ...]]:
        arm = arms[name]
        # From both ends: what one arm has exported, the other finds in the cache when the sources are the same.
        order, longest_first = (cells, True) if name == "head" else (cells[::-1], False)
        arm.session.export_ahead(order, [arm.worker], longest_first=longest_first)
        return {cell.id: _records(arm, cell, outputs[name]) for cell in cells}

    # Two arms of the same sources would make the same state at once; one after the other the second finds it.
    makes_states = any(not is_original(cell) for cell in cells)
    found = (
        {name: work(name) for name in ("base", "head")} if makes_states else run_in_both_arms(work)
    )
    for row in timed:
        _judge_outcomes(row, *(found[name][row.cell.id] for name in ("base", "head")))
    alive = [row for row in timed if row.is_timed]
    for row in alive:
        sides = [metric_values(found[name][row.cell.id]) for name in ("base", "head")]
        row.exact = compare_values(sides[0], sides[1], row.limits)
        _measure_again(row, arms)
    _compare_outputs(alive, arms, outputs)
    kept = {name: arm.session.records for name, arm in arms.items()}
    qualities = compare_quality(kept["base"], kept["head"], arms["head"].session.request.specs)
    for row in alive:
        row.exact += [q for key, q in qualities.items() if _is_of(key, arms["head"], row.cell)]


def _leave_out(rows: Sequence[Row], arms: Mapping[str, Arm]) -> None:
    """Mark the rows of models and sizes that one arm lacks, and of steps that its own instruments do not know."""
    is_older = any(isinstance(arm.worker, OlderWorker) for arm in arms.values())
    for row in rows:
        if is_older and row.step != LATENCY:
            row.skipped = "base is measured by instruments of its own, which compare latency alone"
        model, size = row.cell.model, row.cell.size
        specs = {name: arm.session.request.specs.get(model) for name, arm in arms.items()}
        if specs["base"] is None or size not in specs["base"].sizes:
            row.skipped = "new: base does not have it"
        if specs["head"] is None or size not in specs["head"].sizes:
            row.skipped, row.lost = "", "gone: base has it, head does not"


def _records(arm: Arm, cell: Cell, outputs: Path) -> tuple[Record, ...]:
    """Return the cell's static facts, and its export's record if the backend runs a graph."""
    record = arm.session.attempt(
        cell,
        "memory",
        runner=FACTS,
        result=StaticFactsResult,
        label="facts",
        options=StaticFactsOptions(outputs=str(outputs / f"{cell.file_stem}.npz")),
    )
    if not BACKENDS[cell.backend].needs_graph:
        return (record,)
    return (record, arm.session.measure(graph_cell(cell), EXPORT))


def _judge_outcomes(row: Row, base: Sequence[Record], head: Sequence[Record]) -> None:
    before, after = base[0], head[0]
    if after.outcome.is_bad or after.outcome is Outcome.NOT_RUN:
        row.broken = f"head {after.outcome.value}: {_reason(after)}"
    elif after.outcome in NOT_TRIED and before.outcome.has_run:
        row.lost = f"base ran it, head says {after.outcome.value}: {_reason(after)}"
    elif after.outcome in NOT_TRIED:
        row.skipped = f"{after.outcome.value} in both: {_reason(after)}"
    elif not before.outcome.has_run:
        row.skipped = (
            f"base {before.outcome.value}: {_reason(before)}; there is nothing to compare with"
        )
    for record in head[1:]:
        if not row.broken and (record.outcome.is_bad or record.outcome is Outcome.NOT_RUN):
            row.broken = f"head's export {record.outcome.value}: {_reason(record)}"


def _reason(record: Record) -> str:
    failure = record.failure
    return (
        (failure.message.strip().splitlines() or [failure.kind])[0]
        if failure
        else "no reason given"
    )


def _measure_again(row: Row, arms: Mapping[str, Arm]) -> None:
    """Measure memory metrics that regressed in more fresh processes of both arms; only these count.

    Without results the metric is inconclusive: the first measurement only selected it.
    """
    moved = [e.metric for e in row.exact if e.metric in NOISY and e.verdict is Verdict.REGRESSED]
    if not moved:
        return
    repeats: dict[str, list[Values]] = {"base": [], "head": []}
    for _ in range(MEMORY_REPEATS):
        records = run_in_both_arms(
            lambda name: arms[name].session.attempt(
                row.cell, "memory", runner=FACTS, result=StaticFactsResult, label="facts-again"
            )
        )
        for name, record in records.items():
            if record.outcome.has_run:
                repeats[name].append(metric_values([record]))
    again = {e.metric: e for e in compare_repeats(repeats["base"], repeats["head"], row.limits)}
    row.exact = [again.get(e.metric, _unknown(e)) if e.metric in NOISY else e for e in row.exact]


def _unknown(exact: Exact) -> Exact:
    """Return a regression that could not be measured again as INCONCLUSIVE; others unchanged."""
    if exact.verdict is not Verdict.REGRESSED:
        return exact
    return replace(exact, verdict=Verdict.INCONCLUSIVE, note="could not be measured again")


def _compare_outputs(
    rows: Sequence[Row], arms: Mapping[str, Arm], outputs: Mapping[str, Path]
) -> None:
    """Compare the outputs of both arms: latency is only compared between equal functions."""
    pairs = []
    for row in rows:
        if not row.limits.checks_parity:
            row.parity, row.parity_note = "off", "switched off in pyproject.toml"
            continue
        tolerance = arms["head"].session.request.specs[row.cell.model].tolerance
        stem = f"{row.cell.file_stem}.npz"
        pairs.append(
            OutputPair(
                key=row.cell.id,
                base=str(outputs["base"] / stem),
                head=str(outputs["head"] / stem),
                rtol=tolerance.rtol,
                atol=max([tolerance.atol, *tolerance.outputs.values()]),
            )
        )
    if not pairs:
        return
    arm = arms["head"]
    log = str(arm.session.folder.logs / "agreement.log")
    answer = arm.worker.run(
        Job(
            runner=AGREEMENT,
            options=JobOptions().extended(AgreementOptions(pairs=tuple(pairs))),
            deadline=arm.session.request.deadline,
            log=log,
        )
    )
    verdicts = answer.read(AgreementResult).pairs if answer.failure is None else {}
    lost = Agreement(
        verdict="failed", reason=answer.failure.message if answer.failure else "no answer"
    )
    for row in rows:
        if row.parity:
            continue
        found = verdicts.get(row.cell.id, lost)
        row.parity, row.parity_note = found.verdict, found.reason
        if row.parity != "passed" and (why := _other_weights(row, rows, arms)):
            row.parity, row.parity_note = "incomparable", why
        elif row.parity == "other":
            row.parity = "failed"


def _other_weights(row: Row, rows: Sequence[Row], arms: Mapping[str, Arm]) -> str:
    """Return why the arms' weights, and so their outputs, differ; empty if they should be equal."""
    model = (row.cell.model, row.cell.size)
    has_grown = any(
        exact.metric in ("parameters", "parameter_bytes") and exact.base != exact.head
        for other in rows
        if (other.cell.model, other.cell.size) == model
        for exact in other.exact
    ) or any(
        abs(e.share or 0) > WEIGHTS_CHANGED_SHARE for e in row.exact if e.metric == "onnx_bytes"
    )
    if has_grown:
        return "the number of parameters changed, so the weights are not the same"
    states = [_states(arm, row.cell) for arm in arms.values()]
    if states[0] != states[1]:
        return f"the {row.cell.variant} states were made by different sources; their quality is compared"
    return ""


def _states(arm: Arm, cell: Cell) -> set[str]:
    """Return the keys of the states of that variant that the arm made or found."""
    return {
        record.result.state.key
        for record in arm.session.records.values()
        if (record.cell.model, record.cell.size, record.cell.variant)
        == (cell.model, cell.size, cell.variant)
        and isinstance(record.result, StageResult)
        and record.result.state is not None
    }


def _is_of(key: str, head: Arm, cell: Cell) -> bool:
    record = head.session.records[key]
    return (record.cell.model, record.cell.size) == (cell.model, cell.size)
