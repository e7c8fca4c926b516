"""The second witness: what the forward passes of both arms take in instructions, for rows that wall time cannot judge.

The arms' launchers are started once more, on one thread, so that the processor or callgrind counts what they do. Counts
are not disturbed by each other or by load, so both arms count at once, after everything that is timed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from bench.gate.arm import Arm, OlderWorker
from bench.gate.cause import TIME
from bench.gate.errors import GateError
from bench.gate.instruction_counter import InstructionCounter, find_counter
from bench.gate.pairing import run_in_both_arms
from bench.gate.row import Row
from bench.gate.thresholds import WORK, WORK_OPERATOR, Limits
from bench.gate.valgrind import NEWER, find_valgrind
from bench.gate.verdict import Verdict
from bench.gate.work import Count, Work, judge_work
from bench.instruments.options import LATENCY, InstructionOptions
from bench.instruments.results import InstructionsResult
from suite.axes import CPU, EAGER, ONNXRUNTIME
from suite.cell import Cell
from suite.engine.session import Session
from suite.record import Record
from suite.scratch_folder import scratch_folder
from suite.worker.client import Answer, Launcher, LauncherError

INSTRUCTIONS, AUTO = "instructions", "auto"
WITNESSES: Final = (TIME, INSTRUCTIONS, AUTO)
"""What `--witness` may be: wall time alone; every row by both; by both where wall time cannot tell."""
COUNT: Final = "bench.instruments.instructions:run"
COUNTED: Final = (EAGER, ONNXRUNTIME)
"""Backends whose work is that of the code: a compiler's choices are made anew in every process."""
PROCESSES: Final = 2
"""Processes of each arm that count a row; one that regressed is confirmed by as many fresh ones."""

Say = Callable[[str], None]


def witness_of(asked: str) -> tuple[InstructionCounter | None, str]:
    """Return the counter that `--witness` needs, or None and why there is none.

    Raises GateError if the user asked for counts and they cannot be had: better before anything is measured.
    """
    if asked == TIME:
        return None, ""
    try:
        return find_counter(), ""
    except GateError as error:
        if asked == INSTRUCTIONS:
            raise GateError(f"--witness {asked}: {error}") from error
        return None, str(error)


def count_work(
    rows: Sequence[Row],
    arms: Mapping[str, Arm],
    counter: InstructionCounter,
    *,
    asked: str,
    say: Say,
) -> tuple[str, ...]:
    """Fill in `work` of the rows that the witness is asked for; returns notes on what could not be counted.

    Nothing that was timed is lost for it: where the launchers do not start, the rows say so.
    """
    wanted = [row for row in rows if row.is_timed and (asked == INSTRUCTIONS or _is_open(row))]
    for row in wanted:
        row.work_note = why_not_counted(row)
    todo = [row for row in wanted if not row.work_note]
    notes = _count_rows(todo, arms, counter, say) if todo else ()
    if asked == INSTRUCTIONS:
        for row in todo:
            row.has_work_failed = row.work is None
    return (*notes, *_uncounted(wanted, asked))


def _uncounted(rows: Sequence[Row], asked: str) -> tuple[str, ...]:
    """Return a note on the rows that were not counted, unless each is shown anyway because time cannot tell either."""
    without = [row for row in rows if row.work is None]
    if not without or asked != INSTRUCTIONS:
        return ()
    why = without[0].work_note.splitlines()[0]
    return (
        f"--witness {asked}: {len(without)} of {len(rows)} rows were not counted; {without[0].name}: {why}",
    )


def why_not_asked(arms: Mapping[str, Arm]) -> str:
    """Return why no row of these arms can be counted; empty if they can."""
    if any(isinstance(arm.worker, OlderWorker) for arm in arms.values()):
        return "the base arm is measured by instruments of its own, which cannot count instructions"
    return ""


def _count_rows(
    todo: Sequence[Row], arms: Mapping[str, Arm], counter: InstructionCounter, say: Say
) -> tuple[str, ...]:
    pair = {name: arms[name] for name in ("base", "head")}
    shown = f"{len(todo)} row{'' if len(todo) == 1 else 's'}"
    try:
        with counting(pair, counter, say=say, what=shown) as counted:
            for number, row in enumerate(todo):
                say(f"instructions {number + 1} of {len(todo)}: {row.cell.id}")
                _count_row(row, counted, counter)
    except LauncherError as error:
        for row in todo:
            if row.work is None:
                row.work_note = row.work_note or counter.why_not_started(str(error))
        return ()
    unnamed = [row for row in todo if row.has_more_work and row.work and not row.work.functions]
    return _name_growth(unnamed, pair, say) if unnamed else ()


def _name_growth(rows: Sequence[Row], arms: Mapping[str, Arm], say: Say) -> tuple[str, ...]:
    """Let Valgrind, which knows functions, say where the instructions went that the processor counted.

    Returns a note if it cannot; the verdict stands without it.
    """
    try:
        namer = find_valgrind()
        with counting(arms, namer, say=say, what="what grew") as counted:
            for row in rows:
                say(f"what grew: {row.cell.id}")
                named = count_cells({"base": row.cell, "head": row.cell}, counted, row.limits)
                assert row.work is not None
                row.work = replace(row.work, operators=named.operators, functions=named.functions)
    except (GateError, LauncherError, NotCounted) as error:
        return (f"where the instructions went is not known: {str(error).splitlines()[0]}",)
    return ()


@contextmanager
def counting(
    arms: Mapping[str, Arm], counter: InstructionCounter, *, say: Say, what: str
) -> Iterator[dict[str, Arm]]:
    """Yield the arms with launchers to be counted that have imported everything. Raises LauncherError."""
    say(f"instructions of {what}: counted by {counter.title}; importing the libraries ...")
    with contextlib.ExitStack() as stack:
        counted = {name: stack.enter_context(_under(counter, arm)) for name, arm in arms.items()}
        run_in_both_arms(lambda name: _wait(counted[name]))
        yield counted


def _is_open(row: Row) -> bool:
    return row.verdict is Verdict.INCONCLUSIVE


def why_not_counted(row: Row) -> str:
    """Return why the row's instructions are not counted; empty if they are."""
    if row.step != LATENCY:
        return f"instructions are counted of forward passes, not of {row.step}"
    if row.cell.device != CPU:
        return f"instructions are counted on the CPU, not on {row.cell.device}"
    if row.cell.backend not in COUNTED:
        return f"instructions of {row.cell.backend} are not counted: its compiler may choose otherwise each time"
    return ""


@contextmanager
def _under(counter: InstructionCounter, arm: Arm) -> Iterator[Arm]:
    """Yield the arm with a launcher to be counted; graphs, states and records stay those of the arm."""
    with scratch_folder() as place:
        assert arm.launch is not None
        worker = arm.launch(
            counter.prefix(place),
            counter.variables(place),
            counter.start_deadline,
            arm.session.folder.logs,
        )
        try:
            request = arm.session.request
            session = replace(
                arm.session,
                worker=worker,
                request=replace(request, options=replace(request.options, threads=1)),
            )
            yield replace(arm, session=session)
        finally:
            worker.close(at_once=True) if isinstance(worker, Launcher) else worker.close()


def _wait(arm: Arm) -> None:
    if isinstance(arm.worker, Launcher):
        arm.worker.wait_until_ready()


def _count_row(row: Row, arms: Mapping[str, Arm], counter: InstructionCounter) -> None:
    """Count the row's work in both arms; why it cannot be counted goes into its note."""
    try:
        found = count_cells({"base": row.cell, "head": row.cell}, arms, row.limits)
        row.work = replace(found, counted_by=counter.title)
    except NotCounted as error:
        row.work_note = f"its instructions could not be counted in {error}"


class NotCounted(RuntimeError):
    """A process did not count; the message begins with its arm."""


def count_cells(cells: Mapping[str, Cell], arms: Mapping[str, Arm], limits: Limits) -> Work:
    """Count one cell per arm in PROCESSES processes each, and in as many again if the work regressed.

    Raises NotCounted.
    """
    taken: dict[str, list[Count]] = {"base": [], "head": []}
    work = None
    for number in range(2 * PROCESSES):
        found = run_in_both_arms(lambda name: _count(cells[name], arms[name]))
        for name, count in found.items():
            if isinstance(count, str):
                raise NotCounted(f"{name}: {count}")
            taken[name].append(count)
        if number + 1 < PROCESSES:
            continue
        shares = limits.shares
        work = judge_work(*taken.values(), limit=shares[WORK], operator_limit=shares[WORK_OPERATOR])
        if work.verdict is not Verdict.REGRESSED:
            break
    assert work is not None
    return work


def _count(cell: Cell, arm: Arm) -> Count | str:
    """Return what one fresh process counts, or why it does not."""
    record = count_once(arm.session, cell)
    found = record.result
    if not isinstance(found, InstructionsResult) or not found.counts:
        return why_none(record)
    return Count(counts=found.counts, functions=found.functions, operators=found.operators)


def count_once(session: Session, cell: Cell) -> Record:
    """Count the cell in one fresh process of a launcher that runs under a counter."""
    return session.attempt(
        cell,
        "latency",
        runner=COUNT,
        result=InstructionsResult,
        label="instructions",
        options=InstructionOptions(),
    )


UNKNOWN_CODE: Final = "SIGILL"
"""How a process ends whose next instruction Valgrind does not know; on the processor it ran, as it was timed."""


def why_none(record: Record | Answer) -> str:
    """Return one sentence on a process that counted nothing."""
    if record.failure is None:
        return record.outcome.value
    if record.failure.kind == UNKNOWN_CODE:
        return (
            "a library ran an instruction that Valgrind does not know"
            f" ({record.failure.kind}); {NEWER}"
        )
    return record.failure.message.splitlines()[0]
