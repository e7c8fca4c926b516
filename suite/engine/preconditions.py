"""Preconditions of a step: the outcome and message recorded when a step is not run."""

from __future__ import annotations

from suite.axes import BACKENDS, EXPORT
from suite.cell import Cell
from suite.engine.outcome_rules import gap_of, parity_of
from suite.engine.run_config import RunConfig
from suite.engine.steps import stage_of
from suite.foundations.cases import CASES
from suite.outcome import Outcome
from suite.record import Failure, Record
from suite.results.export import VACUOUS
from suite.spec import Gap

Refusal = tuple[Outcome, Failure]


def declared(request: RunConfig, cell: Cell, step: str) -> Refusal | None:
    """Return the refusal for a gap declared on the model's record, the backend or the known-answer case, or None."""
    gap = _gap(request, cell, step)
    if gap is None or gap.kind != "unsupported":
        return None
    return Outcome.UNSUPPORTED, Failure(kind="gap", message=gap.reason, url=gap.url)


def without_state(before: Record) -> Refusal:
    """Return the refusal for a step whose starting state could not be made; `before` is the failed stage's record."""
    reason = before.failure.message.splitlines()[0] if before.failure else ""
    failure = Failure(
        kind="state",
        message=f"there is no {before.cell.variant} state to start from: its {before.step} stage"
        f" {before.outcome.value}{': ' if reason else ''}{reason}",
        phase=before.step,
        log=before.failure.log if before.failure else "",
        url=before.failure.url if before.failure else "",
    )
    if before.outcome in (Outcome.UNSUPPORTED, Outcome.UNAVAILABLE):
        return before.outcome, failure
    return (Outcome.UNSUPPORTED if before.outcome is Outcome.KNOWN_BUG else Outcome.FAILED), failure


def without_graph(export: Record) -> Refusal | None:
    """Return the refusal if `export` made no trusted graph, else None. With a vacuous parity the graph may be right."""
    parity = parity_of(export)
    if export.outcome.has_run or (parity is not None and parity.verdict == VACUOUS):
        return None
    failure = Failure(
        kind="graph",
        message=f"there is no trustworthy graph to run: the export {export.outcome.value}"
        + (f": {export.failure.message.splitlines()[0]}" if export.failure else ""),
        phase=EXPORT,
        log=export.failure.log if export.failure else "",
    )
    bad = export.outcome if export.outcome is Outcome.UNAVAILABLE else Outcome.FAILED
    return bad, failure


def _gap(request: RunConfig, cell: Cell, step: str) -> Gap | None:
    if cell.model not in request.specs:
        return CASES[step.partition(":")[2]].gap_for(device=cell.device, dtype=cell.dtype)
    spec, backend = request.specs[cell.model], BACKENDS[cell.backend]
    data = request.data_of(spec)
    gap = gap_of(spec, cell, stage_of(step), data)
    if gap is None and backend.needs_graph:
        gap = gap_of(spec, cell, EXPORT, data)
    if gap is None and cell.dtype not in backend.dtypes:
        gap = Gap(reason=f"{cell.backend}: {backend.dtypes_reason}", url=backend.dtypes_url)
    return gap
