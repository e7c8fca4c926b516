"""The same work in both arms: concurrently if it is not timed, in turns if it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.gate.arm import Arm
from bench.gate.block import Block, summarize_block
from bench.gate.budget import BlockLength, Budget
from bench.gate.errors import GateError
from bench.instruments.options import LATENCY, TurnOptions
from bench.instruments.results import Turns, TurnsResult
from bench.instruments.turn_lock import GONE
from diagnostics.codec import encode
from suite.cell import Cell
from suite.engine.steps import is_original
from suite.outcome import Outcome
from suite.record import Record
from suite.scratch_folder import scratch_folder

TURNS: Final = "bench.instruments.turns:run"
CONTROL: Final = "bench.instruments.turns:run_control"
NEGATIVE_CONTROL: Final = Cell(model="negative-control", size="tiny")
ARM_LOST: Final = ("ArmLost", "TimeoutError")
"""Failures of an arm that only mean that the other arm ended."""
BOTH: Final = "both"
"""In place of an arm's name: neither is to blame alone."""


class BlockFailed(RuntimeError):
    """A block has no result; `arm` is the one that failed, or BOTH."""

    def __init__(self, arm: str, record: Record, reason: str = "") -> None:
        self.arm, self.record = arm, record
        failure = record.failure
        super().__init__(reason or (failure.message if failure else record.outcome.value))


def run_in_both_arms(work: Callable[[str], Any]) -> dict[str, Any]:
    """Run `work("base")` and `work("head")` in two threads; returns arm -> result. Raises the first error.

    The calling thread waits; Ctrl-C interrupts it at once, and the owner of the launchers closes them.
    """
    results: dict[str, Any] = {}
    errors: list[BaseException] = []

    def run(name: str) -> None:
        try:
            results[name] = work(name)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in ("base", "head")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def run_block(
    arms: Mapping[str, Arm],
    cell: Cell | Mapping[str, Cell],
    *,
    number: int,
    length: BlockLength,
    runner: str = TURNS,
    label: str = "block",
    step: str = LATENCY,
) -> Block:
    """Run one block of the cell (or of one cell per arm): two fresh processes that take turns. Raises BlockFailed.

    Both arms of a block have one seed, another per block (a state has the seed that it was made with); the arm that
    begins alternates from block to block.
    """
    begins = ("base", "head")[number % 2]
    cells = {"base": cell, "head": cell} if isinstance(cell, Cell) else cell
    with scratch_folder() as folder:
        records = run_in_both_arms(
            lambda name: _one(
                arms[name], cells[name], runner, label, number, length, begins, folder, step
            )
        )
    if all(record.outcome is Outcome.TIMED_OUT for record in records.values()):
        why = "neither arm finished within its --deadline; next: a longer one, or fix what hangs"
        raise BlockFailed(BOTH, records["head"], why)
    for name in ("head", "base"):
        failure = records[name].failure
        if failure is not None and failure.kind not in ARM_LOST:
            raise BlockFailed(name, records[name])
    if late := _late(records):
        raise BlockFailed(
            late, records[late], "it kept the other arm waiting for over half of --deadline"
        )
    for name in ("head", "base"):
        if not records[name].outcome.has_run:
            raise BlockFailed(name, records[name])
    turns = {name: _turns(name, record) for name, record in records.items()}
    return summarize_block(turns["base"], turns["head"], begins=begins)


def _late(records: Mapping[str, Record]) -> str:
    """Return the arm for which the other one gave up waiting; empty if neither did."""
    kinds = {
        name: record.failure.kind if record.failure else "" for name, record in records.items()
    }
    waited = [name for name, kind in kinds.items() if kind == "TimeoutError"]
    return "" if len(waited) != 1 else "head" if waited == ["base"] else "base"


def run_control(arms: Mapping[str, Arm], number: int, budget: Budget) -> Block:
    """Run one block of the negative control. Raises GateError: without it no time can be judged."""
    try:
        return run_block(
            arms,
            NEGATIVE_CONTROL,
            number=number,
            length=budget.block,
            runner=CONTROL,
            label="control",
        )
    except BlockFailed as error:
        raise GateError(
            f"the negative control does not run in the {error.arm} arm: {error};"
            " next: python -m diagnostics"
        ) from error


def _turns(arm: str, record: Record) -> Turns:
    """Return the turns of a passed record. Raises BlockFailed if they cannot be read."""
    turns = record.result.turns if isinstance(record.result, TurnsResult) else None
    if turns is None:
        unread = "; ".join(record.unread) or "they are missing"
        raise BlockFailed(arm, record, f"its turns cannot be read: {unread}")
    return turns


def _one(
    arm: Arm,
    cell: Cell,
    runner: str,
    label: str,
    number: int,
    length: BlockLength,
    begins: str,
    folder: Path,
    step: str,
) -> Record:
    options = arm.session.request.options
    shift = number if is_original(cell) else 0
    plan = {**options.plan, "warmup_seconds": length.warmup_seconds}
    meeting = folder / "meeting"
    asked = TurnOptions(
        meeting=str(meeting),
        begins=arm.name == begins,
        num_turns=length.num_turns,
        block_seconds=length.seconds,
        step=step,
    )
    try:
        return arm.session.attempt(
            cell,
            "latency",
            runner=runner,
            result=TurnsResult,
            label=label,
            options={"plan": plan, "seed": options.seed + shift, **encode(asked)},
        )
    finally:
        meeting.with_name(meeting.name + GONE).touch()  # the other arm need not wait for this one
