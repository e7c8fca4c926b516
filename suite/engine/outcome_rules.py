"""Rules that turn a worker's answer into a record and determine the record's outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from suite.cell import Cell
from suite.engine.steps import stage_of
from suite.outcome import Outcome
from suite.record import Failure, Record
from suite.result_types import result_class
from suite.results.export import FAILED, VACUOUS, ExportResult, Parity
from suite.results.generate import GenerateResult
from suite.results.step_output import decode_output
from suite.results.step_result import StageResult, StepResult
from suite.spec import Gap, ModelSpec
from suite.worker.client import Answer


def record_of(answer: Answer, blank: Record, kind: type[StepResult] | None = None) -> Record:
    """Return the record of an answer; paths inside it become relative to the run folder.

    `kind` is the class of the result, by default that of the step.
    """
    failure = answer.failure
    if failure is not None and failure.log:
        failure = replace(failure, log=f"logs/{Path(failure.log).name}")
    record = replace(blank, outcome=answer.outcome, failure=failure, phases=dict(answer.phases))
    if not answer.result:
        return record
    problems: list[str] = []
    try:
        output = decode_output(kind or result_class(blank.step), answer.result, problems)
    except ValueError as error:
        message = (
            f"the worker's answer cannot be read: {error}; next: fix the runner of {blank.step}"
        )
        return replace(
            record,
            outcome=Outcome.FAILED,
            failure=Failure(kind="answer", message=message, phase="result"),
        )
    return replace(
        record,
        measurements=output.measurements,
        artifacts=output.artifacts,
        result=output.result,
        data=output.data,
        unread=tuple(problems),
    )


def judged(record: Record, spec: ModelSpec | None) -> Record:
    """Return the record with its outcome updated for failed claims, failed or vacuous parity, and declared bugs. Its
    measurements are kept.
    """
    parity = parity_of(record)
    claims = record.result.claims if isinstance(record.result, StageResult | GenerateResult) else ()
    broken = [claim for claim in claims if not claim.holds and record.outcome.has_run]
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        record = replace(
            record,
            outcome=Outcome.FAILED,
            failure=Failure(
                kind="claim",
                message=f"does not hold: {broken[0].name}: {broken[0].evidence}{more}",
                phase="claims",
            ),
        )
    if record.outcome.has_run and parity is not None and parity.verdict in (FAILED, VACUOUS):
        record = replace(
            record,
            outcome=Outcome.FAILED,
            failure=Failure(
                kind=f"parity {parity.verdict}",
                message=parity.reason or f"parity {parity.verdict}",
                phase="parity",
            ),
        )
    if spec is None:
        return record
    gap = gap_of(spec, record.cell, stage_of(record.step), record.data.name if record.data else "")
    if gap is not None and gap.kind == "known_bug":
        if record.outcome.is_bad:
            return replace(record, outcome=Outcome.KNOWN_BUG)
        if record.outcome.has_run:
            return replace(
                record,
                outcome=Outcome.FAILED,
                failure=Failure(
                    kind="fixed",
                    message=f"declared as a known bug ({gap.reason}), but it passed: remove the gap",
                    url=gap.url,
                ),
            )
    return record


def settled(records: Iterable[Record]) -> dict[str, Record]:
    """Return key -> record for the records that a resumed run need not repeat: passed, or impossible to run."""
    return {
        record.key: record
        for record in records
        if record.outcome in (Outcome.PASSED, Outcome.UNSUPPORTED, Outcome.KNOWN_BUG)
    }


def gap_of(spec: ModelSpec, cell: Cell, stage: str, data: str) -> Gap | None:
    """Return the declared gap that covers the cell in that stage on that data set, or None."""
    return spec.gap_for(
        stage=stage,
        backend=cell.backend,
        device=cell.device,
        dtype=cell.dtype,
        size=cell.size,
        variant=cell.variant,
        data=data,
    )


def parity_of(record: Record) -> Parity | None:
    """Return the parity of an export's record, or None if the record has none."""
    return record.result.parity if isinstance(record.result, ExportResult) else None
