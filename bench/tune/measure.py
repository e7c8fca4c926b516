"""Measuring of a model's lanes: what they start from is made, their quality is judged, then they take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bench.instruments.options import QualityOptions, SearchArm, SearchOptions
from bench.instruments.results import QualityResult, SearchResult
from bench.summary.advice import Limits
from bench.tune.choice import anchors_of, limits_broken
from bench.tune.lanes import Candidate, Cost, candidates_of
from diagnostics.codec import encode
from suite.axes import ORIGINAL, root_of
from suite.cell import Cell
from suite.engine import preconditions
from suite.engine.session import Session
from suite.outcome import Outcome
from suite.quality import drop
from suite.record import Record
from suite.spec import ModelSpec
from suite.worker.client import Answer
from suite.worker.protocol import CellJob

QUALITY: Final = "bench.instruments.quality:run"
SEARCH: Final = "bench.instruments.search:run"
STEP: Final = "latency"
"""Step for whose sake states and graphs are made, and whose declared gaps hold."""
ANSWERS: Final = "answers.pt"
"""File in the run folder with the answers of the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How hard a search measures under one plan."""

    seconds: float
    """Time cap of the turns."""
    warmup_seconds: float
    """Cap of each arm's warm-up."""
    most_turns: int
    """Turns after which the fastest lanes are a tie."""


BUDGETS: Final = {
    "quick": Budget(seconds=15.0, warmup_seconds=0.1, most_turns=16),
    "standard": Budget(seconds=60.0, warmup_seconds=0.2, most_turns=32),
    "rigorous": Budget(seconds=300.0, warmup_seconds=1.0, most_turns=128),
}
"""Plan -> budget."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """What is known of a model's lanes; filled in as it is measured, so that it is there when a user breaks off."""

    candidates: list[Candidate] = field(default_factory=list)
    found: SearchResult = field(default_factory=SearchResult)
    has_metric: bool = False
    """Whether quality is the task's metric, not the agreement with float32."""
    is_broken_off: bool = False
    phase: str = ""
    """What it was doing last."""


def measure(
    session: Session,
    spec: ModelSpec,
    lanes: Sequence[Cell],
    threads: Sequence[int],
    limits: Limits,
    measured: Measured,
    say: Callable[[str], None],
    *,
    halves: bool = True,
    passes: int = 0,
) -> None:
    """Fill `measured` with every lane's quality and size, then with the turns of those that could be shipped.

    `lanes` begins with the reference. A user's Ctrl-C ends it with what is known by then.
    """
    try:
        judge(session, spec, lanes, threads, measured, say)
        time_in_turns(session, limits, measured, say, halves=halves, passes=passes)
    except KeyboardInterrupt:
        measured.is_broken_off = True


def judge(
    session: Session,
    spec: ModelSpec,
    lanes: Sequence[Cell],
    threads: Sequence[int],
    measured: Measured,
    say: Callable[[str], None],
) -> None:
    """Make what each lane starts from and judge its quality, the reference's first."""
    measured.has_metric = spec.can_train and root_of(lanes[0].variant) != ORIGINAL
    base: QualityResult | None = None
    for number, cell in enumerate(lanes, 1):
        say(f"{number} of {len(lanes)}: quality of {cell.id}")
        measured.phase = f"quality of {cell.id}"
        record = _judged(
            session, cell, measured.has_metric, is_reference=base is None, threads=max(threads)
        )
        result = record.result
        own = candidates_of([cell], threads)
        if not record.outcome.has_run or not isinstance(result, QualityResult):
            measured.candidates += [_refused(one, record) for one in own]
            continue
        base = base or result
        cost = _cost(spec, base, result)
        measured.candidates += [replace(one, cost=cost, num_bytes=result.num_bytes) for one in own]


def _judged(
    session: Session, cell: Cell, has_metric: bool, *, is_reference: bool, threads: int
) -> Record:
    declared = preconditions.declared(session.request, cell, STEP)
    if declared is not None:
        return session.blank(cell, STEP, *declared)
    # A state is made in float32 and then run in another dtype.
    if refusal := session.refusal(replace(cell, dtype="float32"), STEP):
        return replace(refusal, cell=cell)
    asked = QualityOptions(
        reference=str(session.folder.path / ANSWERS),
        is_reference=is_reference,
        has_metric=has_metric,
    )
    return session.job(
        cell,
        "quality",
        runner=QUALITY,
        result=QualityResult,
        options={**encode(asked), **_own(cell, threads)},
    )


def _own(cell: Cell, threads: int) -> dict[str, Any]:
    """Return the options of a job on this lane beside those of the run."""
    return {"threads": threads, "made_in": "float32" if cell.dtype != "float32" else ""}


def _refused(one: Candidate, record: Record) -> Candidate:
    failure = record.failure
    reason = failure.message.strip().partition("\n")[0] if failure else ""
    return replace(
        one,
        outcome=record.outcome.value,
        reason=reason or f"its quality {record.outcome.value}",
        url=failure.url if failure else "",
    )


def _cost(spec: ModelSpec, base: QualityResult, own: QualityResult) -> Cost:
    """Return the loss against the reference: of the metric, or else the relative error in percent."""
    if own.metric is not None and base.metric is not None:
        lost = drop(spec.scale, base.metric, own.metric) + 0.0
        return Cost(drop=lost, metric=own.metric, num_samples=own.num_samples)
    error = own.fidelity.relative_error if own.fidelity else float("inf")
    num = own.fidelity.num_inputs if own.fidelity else 0
    return Cost(drop=100 * error, fidelity=own.fidelity, num_samples=num)


def time_in_turns(
    session: Session,
    limits: Limits,
    measured: Measured,
    say: Callable[[str], None],
    *,
    halves: bool = True,
    passes: int = 0,
) -> None:
    """Hold the search over the lanes whose quality is known, and keep what it says after every round."""
    ready = [one for one in measured.candidates if not one.reason]
    anchors = anchors_of(ready, {one.label for one in ready})
    if not anchors or not any(not limits_broken(one, limits) for one in ready):
        return
    budget = BUDGETS.get(str(session.request.options.plan.get("name")), BUDGETS["standard"])
    plan = {**session.request.options.plan, "warmup_seconds": budget.warmup_seconds}
    ordered = sorted(ready, key=lambda one: one.label not in anchors)
    asked = SearchOptions(
        arms=tuple(
            SearchArm(
                label=one.label,
                cell=one.cell,
                options=session.options_for(one.cell, STEP).extended(
                    {"plan": plan, **_own(one.cell, one.threads)}
                ),
                is_anchor=one.label in anchors,
                is_contender=not limits_broken(one, limits),
            )
            for one in ordered
        ),
        seconds=budget.seconds,
        max_seconds=limits.max_seconds,
        most_turns=budget.most_turns,
        halves=halves,
        passes=passes,
    )
    say(f"turns of {len(ordered)} lanes")
    measured.phase = "turns"
    first = ordered[0].cell
    log = session.folder.logs / f"{first.file_stem}-search.log"

    def keep(name: str, answer: Answer) -> None:
        measured.found = answer.read(SearchResult)
        gone = sum(bool(arm.left_because) for arm in measured.found.arms)
        say(
            f"round {measured.found.rounds}: {measured.found.passes} passes,"
            f" {len(measured.found.arms) - gone} lanes left of {len(ordered)}"
        )

    answer = session.worker.run(
        CellJob(
            runner=SEARCH,
            cell=first,
            options=session.options_for(first, STEP).extended(asked),
            deadline=3 * budget.seconds + asked.load_seconds * len(ordered),
            log=str(log),
        ),
        keep,
    )
    if answer.outcome is Outcome.PASSED:
        measured.found = answer.read(SearchResult)
    elif answer.failure is not None:
        error = answer.failure.message.partition("\n")[0]
        known = {arm.label for arm in measured.found.arms}
        lost = {one.label: error for one in ordered if one.label not in known}
        measured.found = replace(measured.found, lost={**lost, **measured.found.lost})
