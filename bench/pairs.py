"""Pairs: every cell measured in turns with the cells that it is compared with; one sitting per model and place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from suite.axes import BACKENDS, DTYPES, ORIGINAL, QUANTIZE, REFERENCE, VARIANTS, root_of
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Failure, Record
from suite.results.measuring import PairedArm, PairsResult

if TYPE_CHECKING:
    from suite.engine.session import Session

# A report looks up what a cell is compared with; what a sitting needs is imported when one is held.

RUNNER: Final = "bench.instruments.sitting:run"
STEP: Final = "pairs"
FLOAT32: Final = DTYPES[0]
MAX_ARMS: Final = 6
"""Arms of one sitting: each is a process with a model in it, and all are loaded at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How hard a sitting measures under one plan."""

    seconds: float
    """Time cap of the turns of one comparison; a sitting with more arms has as many times more."""
    warmup_seconds: float
    """Cap of each arm's warm-up."""
    precision: float = 0.05
    """See `SittingOptions`."""


BUDGETS: Final = {
    "quick": Budget(seconds=0.6, warmup_seconds=0.06),
    "standard": Budget(seconds=2.0, warmup_seconds=0.15),
    "rigorous": Budget(seconds=30.0, warmup_seconds=1.0, precision=0.025),
}
"""Plan -> budget."""


def references(cell: Cell) -> tuple[Cell, ...]:
    """Return the cells that a cell is compared with: its state in eager PyTorch, in its dtype and in float32; the
    trained model there, or the model as built for what is made from that; and for a quantized state the float state
    that it was made from, on the same backend.
    """
    row = VARIANTS[cell.variant]
    # Weights of a graph are float32 whatever it computes in: eager in that dtype is another program.
    own = FLOAT32 if BACKENDS[cell.backend].needs_graph else cell.dtype
    found = []
    if not row.backends or REFERENCE in row.backends:
        found += [replace(cell, backend=REFERENCE, dtype=dtype) for dtype in (own, FLOAT32)]
    if (root := root_of(cell.variant)) != cell.variant:
        found.append(replace(cell, variant=root, backend=REFERENCE, dtype=own))
    if row.stage == QUANTIZE:
        found.append(replace(cell, variant=row.parent))
    return tuple(one for one in dict.fromkeys(found) if one != cell)


def pairs_record(session: Session, cell: Cell) -> Record:
    """Return the cell's turns in the sitting of its model, which is held when its first cell asks."""
    from suite.engine.outcome_rules import judged

    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    timed = session.records.get(f"{cell.id}/latency")
    if timed is not None and not timed.outcome.has_run:
        return session.blank(cell, STEP, timed.outcome, timed.failure)
    refusals = [found for one in references(cell) if (found := session.refusal(one, STEP))]
    if len(refusals) == len(references(cell)):
        why = refusals[0].failure
        reason = why.message if why else refusals[0].outcome.value
        failure = Failure(kind="reference", message=f"nothing to compare with: {reason}")
        return session.blank(cell, STEP, Outcome.UNAVAILABLE, failure)
    sitting = session.shared.get(_key(cell))
    if sitting is None:
        sitting = _hold(session, cell)
    record = judged(_own(session, sitting, cell), session.request.specs.get(cell.model))
    return replace(
        record,
        diagnosis=session.diagnosis_of(record),
        started_at=started_at,
        seconds=time.monotonic() - began,
    )


def _key(cell: Cell) -> str:
    return f"{STEP}/{cell.id}"


def _hold(session: Session, cell: Cell) -> Record:
    """Hold the sitting of this cell and of the later ones of its model and place, and keep its record for them."""
    from bench.instruments.options import SittingArm, SittingOptions
    from bench.instruments.results import SittingResult

    group = [one for one in session.cells if place_of(one) == place_of(cell) and references(one)]
    first = group.index(cell) if cell in group else 0
    members, arms = _chosen(session, [cell, *group[first + 1 :]])
    budget = BUDGETS.get(str(session.request.options.plan.get("name")), BUDGETS["standard"])
    plan = {**session.request.options.plan, "warmup_seconds": budget.warmup_seconds}
    number = {one: place for place, one in enumerate(arms)}
    asked = SittingOptions(
        arms=tuple(
            SittingArm(
                cell=one,
                options=replace(session.options_for(one, STEP), plan=plan),
                over=tuple(number[r] for r in references(one) if r in number)
                if one in members
                else (),
            )
            for one in arms
        ),
        seconds=budget.seconds * max(1, len(arms) - 1),
        precision=budget.precision,
    )
    record = session.job(cell, STEP, runner=RUNNER, result=SittingResult, options=asked)
    for one in members:
        session.shared[_key(one)] = record
    return record


def _chosen(session: Session, group: Sequence[Cell]) -> tuple[list[Cell], list[Cell]]:
    """Return the cells of the group that fit into one sitting, and all its arms, references first."""
    members: list[Cell] = []
    arms: dict[Cell, None] = {}
    for one in group:
        wanted = [r for r in references(one) if not session.refusal(r, STEP)]
        timed = session.records.get(f"{one.id}/latency")
        if timed is not None and not timed.outcome.has_run:
            continue
        if one != group[0] and session.refusal(one, STEP):
            continue
        grown = {**arms, **dict.fromkeys((*wanted, one))}
        if len(grown) > MAX_ARMS and members:
            continue
        members.append(one)
        arms = grown
    return members, list(arms)


def place_of(cell: Cell) -> Cell:
    """Return the cell without backend, dtype and state: what those of one sitting have in common."""
    return replace(cell, backend=REFERENCE, dtype=FLOAT32, variant=ORIGINAL)


def _own(session: Session, sitting: Record, cell: Cell) -> Record:
    """Return this cell's part of the sitting's record."""
    from bench.instruments.results import SittingResult
    from suite.worker.errors import tail_of

    result = sitting.result
    if not sitting.outcome.has_run or not isinstance(result, SittingResult):
        return replace(sitting, cell=cell)
    arms = {arm.cell: arm for arm in result.arms}
    wanted = references(cell)
    if cell.id not in arms or not any(one.id in arms for one in wanted):
        lost = [one.id for one in (cell, *wanted) if one.id in result.lost]
        reason = "; ".join(f"{one}: {result.lost[one]}" for one in lost) or "it took no turns"
        log = Path("logs", f"{sitting.cell.file_stem}-{STEP}.log")
        failure = Failure(
            kind="ArmFailed",
            message=reason,
            phase="turns",
            log_tail=tail_of(str(session.folder.path / log)),
            log=log.as_posix(),
        )
        return session.blank(cell, STEP, Outcome.FAILED, failure)
    return replace(
        session.blank(cell, STEP, Outcome.PASSED, None),
        phases=sitting.phases,
        result=PairsResult(
            sitting=f"{sitting.cell.id}@{sitting.started_at}",
            own=arms.get(cell.id),
            references=tuple(arms[r.id] for r in wanted if r.id in arms),
            stopped_because=result.stopped_because,
            plan=str(session.request.options.plan.get("name", "")),
        ),
    )


def ratio_arms(result: PairsResult, over: str) -> tuple[PairedArm, PairedArm] | None:
    """Return (reference, own) for the reference with that cell id; None if one of the two has no turns."""
    reference = next((arm for arm in result.references if arm.cell == over), None)
    return (reference, result.own) if reference and result.own else None
