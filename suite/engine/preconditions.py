"""Preconditions of a step: the outcome and message recorded when a step is not run."""

from __future__ import annotations

from typing import Final

from suite.axes import BACKENDS, EXPORT
from suite.cell import Cell
from suite.engine.outcome_rules import gap_of, parity_of
from suite.engine.run_config import RunConfig
from suite.engine.steps import stage_of
from suite.foundations.cases import CASES
from suite.outcome import WORDING, Outcome
from suite.record import Failure, Record
from suite.results.export import VACUOUS
from suite.spec import ANY, Gap

Refusal = tuple[Outcome, Failure]


def declared(
    request: RunConfig, cell: Cell, step: str, *, is_of_model: bool = False
) -> Refusal | None:
    """Return the refusal for a gap declared on the model's record, the backend or the known-answer case, or None.

    A gap of a backend does not cover a step that is of the model alone.
    """
    gap = _gap(request, cell, step, is_of_model)
    if gap is None or gap.kind != "unsupported":
        return None
    return Outcome.UNSUPPORTED, Failure(kind="gap", message=gap.reason, url=gap.url)


def without_state(before: Record) -> Refusal:
    """Return the refusal for a step whose starting state could not be made; `before` is that stage's record."""
    return _follower(
        before,
        kind="state",
        what=f"there is no {before.cell.variant} state to start from: its {before.step} stage",
    )


def without_graph(export: Record) -> Refusal | None:
    """Return the refusal if `export` made no trusted graph, else None. With a vacuous parity the graph may be right."""
    parity = parity_of(export)
    if export.outcome.has_run or (parity is not None and parity.verdict == VACUOUS):
        return None
    return _follower(export, kind="graph", what="there is no trustworthy graph to run: the export")


def _follower(before: Record, *, kind: str, what: str) -> Refusal:
    """Return the refusal of a step that starts from what `before` did not make.

    A failure is counted once, where it happened: the steps behind it were not run, all with that one as the reason.
    Behind a gap there is a gap.
    """
    failure = before.failure
    if before.outcome is Outcome.NOT_RUN and failure is not None:
        return before.outcome, failure
    reason = failure.message.splitlines()[0] if failure and failure.message else ""
    ended = WORDING[before.outcome].title
    return _FOLLOWING.get(before.outcome, Outcome.NOT_RUN), Failure(
        kind=kind,
        message=f"{what} ended as '{ended}'{': ' if reason else ''}{reason}",
        phase=before.step,
        log=failure.log if failure else "",
        url=failure.url if failure else "",
    )


_FOLLOWING: Final = {
    Outcome.UNSUPPORTED: Outcome.UNSUPPORTED,
    Outcome.KNOWN_BUG: Outcome.UNSUPPORTED,
    Outcome.UNAVAILABLE: Outcome.UNAVAILABLE,
}
"""Outcome of a step -> outcome of those that start from its result; a failure's followers are not run."""


def _gap(request: RunConfig, cell: Cell, step: str, is_of_model: bool) -> Gap | None:
    if cell.model not in request.specs:
        return CASES[step.partition(":")[2]].gap_for(device=cell.device, dtype=cell.dtype)
    spec, backend = request.specs[cell.model], BACKENDS[cell.backend]
    data = request.data_of(spec)
    gap = gap_of(spec, cell, stage_of(step), data)
    if gap is not None and is_of_model and gap.backend != ANY:
        gap = None
    if gap is None and backend.needs_graph:
        gap = gap_of(spec, cell, EXPORT, data)
    if gap is None and cell.dtype not in backend.dtypes:
        gap = Gap(reason=f"{cell.backend}: {backend.dtypes_reason}", url=backend.dtypes_url)
    if gap is None and cell.device.partition(":")[0] not in backend.devices:
        gap = Gap(reason=f"{cell.backend}: {backend.devices_reason}", url=backend.devices_url)
    return gap
