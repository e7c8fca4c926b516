"""From a worker's answer to a record, and from a record to its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite.cell import Cell
from suite.claims import broken_in
from suite.engine.steps import stage_of
from suite.outcome import Outcome
from suite.record import Artifact, Failure, Measurement, Record
from suite.spec import Gap, ModelSpec
from suite.worker.client import Answer


def record_of(answer: Answer, blank: Record) -> Record:
    """The record of an answer; paths inside it become relative to the run folder."""
    result = answer.result
    failure = answer.failure
    if failure is not None and failure.log:
        failure = replace(failure, log=f"logs/{Path(failure.log).name}")
    return replace(
        blank,
        outcome=answer.outcome,
        failure=failure,
        phases=dict(answer.phases),
        measurements=tuple(measurement_of(m) for m in result.get("measurements", ())),
        artifacts=tuple(Artifact(**a) for a in result.get("artifacts", ())),
        facts=dict(result.get("facts", {})),
    )


def judged(record: Record, spec: ModelSpec | None) -> Record:
    """The record after its claims are looked at: claims that do not hold, parity that failed or proves nothing, bugs
    that are declared. Its numbers stay.
    """
    parity = parity_of(record)
    broken = broken_in(record.facts) if record.outcome.has_run else []
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        record = replace(
            record,
            outcome=Outcome.FAILED,
            failure=Failure(
                kind="claim",
                message=f"does not hold: {broken[0]['name']}: {broken[0]['evidence']}{more}",
                phase="claims",
            ),
        )
    if record.outcome.has_run and parity in ("failed", "vacuous"):
        record = replace(
            record,
            outcome=Outcome.FAILED,
            failure=Failure(
                kind=f"parity {parity}",
                message=str(record.facts["parity"].get("reason") or f"parity {parity}"),
                phase="parity",
            ),
        )
    if spec is None:
        return record
    gap = gap_of(spec, record.cell, stage_of(record.step), str(record.facts.get("data", "")))
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
    """Key -> record of those that a resumed run need not repeat: they passed, or cannot be run."""
    return {
        record.key: record
        for record in records
        if record.outcome in (Outcome.PASSED, Outcome.UNSUPPORTED, Outcome.KNOWN_BUG)
    }


def gap_of(spec: ModelSpec, cell: Cell, stage: str, data: str) -> Gap | None:
    """The declared gap that covers the cell in that stage on that data set, or None."""
    return spec.gap_for(
        stage=stage,
        backend=cell.backend,
        device=cell.device,
        dtype=cell.dtype,
        size=cell.size,
        variant=cell.variant,
        data=data,
    )


def parity_of(record: Record) -> str:
    """passed, failed, vacuous; empty when the record has no parity."""
    parity = record.facts.get("parity")
    return str(parity.get("verdict", "")) if isinstance(parity, Mapping) else ""


def measurement_of(data: Mapping[str, Any]) -> Measurement:
    """The measurement that a runner returned as JSON-able data."""
    return Measurement(
        **{**data, "samples": tuple(data["samples"]), "warmup": tuple(data.get("warmup", ()))}
    )
