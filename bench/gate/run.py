"""One gate: two arms, static facts, timed blocks, causes."""

from __future__ import annotations

import contextlib
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.gate.arm import Arm, Start, handshake, open_arm
from bench.gate.block import Block
from bench.gate.budget import BUDGETS, Budget
from bench.gate.cause import TIME, Repeat, find_cause, kept_options
from bench.gate.errors import GateError
from bench.gate.notes import notes_of
from bench.gate.outcome import Gate, Side
from bench.gate.pairing import run_block, run_control, run_in_both_arms
from bench.gate.row import Row
from bench.gate.same_bytes import files_that_differ
from bench.gate.schedule import Schedule
from bench.gate.source_tree import SourceTree, resolve_base, working_tree
from bench.gate.static_facts import compare_static_facts
from bench.gate.thresholds import Thresholds
from bench.gate.verdict import Verdict
from bench.gate.witness import INSTRUCTIONS, count_work, why_not_asked, witness_of
from bench.instruments.options import LATENCY
from bench.plan import PLANS
from diagnostics.facts import repository
from suite.cell import Cell
from suite.options import Selection
from suite.worker.client import Launcher

OUT: Final = ".vitals"
"""The default output folder; one that the user named gets no .gitignore."""
MAX_CAUSES: Final = 8
"""Most regressions whose cause is searched for; further ones usually share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """What the user asked for, resolved."""

    selection: Selection
    thresholds: Thresholds
    against: str = ""
    """A git ref or a folder; empty = the working tree, under another interpreter."""
    python: str = ""
    """The base arm's interpreter; empty = this one."""
    models_from: Path | None = None
    file: Path | None = None
    """A file of the user's that `--models` names, if there is no models file."""
    started_in: Path
    out: Path
    plan: str = "standard"
    deadline: float = 600.0
    command: str = ""
    fingerprint: str = ""
    is_strict: bool = False
    witness: str = TIME
    """What judges a row besides wall time, see `bench.gate.witness`."""
    is_forced: bool = False
    """Whether to measure although nothing that is measured differs."""
    preload: Sequence[str] = ()
    num_rows: int = 0
    """Rows of the whole gate, where this is a part of it; 0 = this is all."""
    chosen: Sequence[tuple[Cell, str]] = ()
    """Cells and steps that are compared; empty = the latency of every cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What measuring has found."""

    rows: tuple[Row, ...]
    control: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Arm -> package -> version."""


Say = Callable[[str], None]
Judge = Callable[[GateConfig, Sequence[Row], SourceTree, SourceTree, Path, Say], Judged]
"""Measures the rows in both arms, base and head, with the folder for files: `judge_here`, or a fleet."""


def judge_here(
    request: GateConfig,
    rows: Sequence[Row],
    base: SourceTree,
    head: SourceTree,
    folder: Path,
    say: Say,
    *,
    start: Start = Launcher,
    budget: Budget | None = None,
) -> Judged:
    """Measure the rows on this machine. Raises GateError for user errors."""
    counter, without = witness_of(request.witness)
    with _arms(request, base, head, folder, start) as arms:
        say("importing the libraries in both arms ...")
        found = run_in_both_arms(lambda name: handshake(arms[name], list(request.selection.specs)))
        arms = {**arms, **found}
        if counter is not None and (why := why_not_asked(found)):
            if request.witness == INSTRUCTIONS:
                raise GateError(f"--witness {request.witness}: {why}")
            counter, without = None, why
        compare_static_facts(rows, found, folder, say)
        schedule = _timed(rows, arms, budget or BUDGETS[request.plan], say, request.num_rows)
        notes = [f"--witness {request.witness}: {without}"] if without else []
        if counter is not None:
            notes += count_work(rows, arms, counter, asked=request.witness, say=say)
        regressed = [row for row in rows if row.is_timed and is_worse(row)]
        options = request.selection.job_options
        repeat = Repeat(
            plan=request.plan,
            witness=request.witness,
            threads=options.threads,
            python=request.python,
            options=kept_options(request.command, request.started_in),
            origins=options.origins,
        )
        for row in regressed[:MAX_CAUSES]:
            say(f"looking for the cause: {row.name}")
            row.cause = find_cause(row, found, folder, repeat)
        # Here, not after the block: the checkout of base, which they are about, is gone then.
        notes = [*notes_of(found, rows), *notes]
    return Judged(
        rows=tuple(rows),
        control=tuple(schedule.control),
        notes=tuple(notes),
        versions={name: arm.versions for name, arm in found.items()},
    )


def run_gate(
    request: GateConfig,
    *,
    say: Say = lambda text: None,
    start: Start = Launcher,
    budget: Budget | None = None,
    judge: Judge | None = None,
) -> tuple[Gate, Path]:
    """Run the gate; returns its result and the folder for its files. Raises GateError for user errors.

    Rows are measured here, or by another `judge`. Checkouts are removed and processes ended on return and on
    exceptions, Ctrl-C and SIGTERM included.
    """
    began, started_at = time.monotonic(), datetime.now(UTC)
    judge = judge or partial(judge_here, start=start, budget=budget)
    gate_id = f"{started_at.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    folder = request.out / "gates" / gate_id
    try:
        folder.mkdir(parents=True)
        if request.out.name == OUT and not (ignore := request.out / ".gitignore").exists():
            ignore.write_text(
                "*\n", encoding="utf-8"
            )  # or our own files were changes of the head arm
    except OSError as error:
        raise GateError(
            f"--out {request.out}: cannot be written ({error.strerror}); name another folder"
        ) from error
    chosen = request.chosen or [(cell, LATENCY) for cell in request.selection.cells]
    rows = [
        Row(cell=cell, step=step, limits=request.thresholds.for_cell(cell)) for cell, step in chosen
    ]
    gate = Gate(
        gate_id=gate_id,
        base=Side(label=""),
        head=Side(label=""),
        rows=rows,
        control=(),
        plan=request.plan,
        command=request.command,
        started_at=started_at.isoformat(timespec="seconds"),
        seconds=0.0,
        fingerprint=request.fingerprint,
        is_strict=request.is_strict,
    )
    with sigterm_as_interrupt(), _sources(request) as (base, head):
        commit = repository.describe().commit
        if request.against and not (request.python or request.is_forced):
            origins = request.selection.job_options.origins
            if files_that_differ(base, head, origins) == []:
                return (
                    replace(
                        gate,
                        base=_side(base),
                        head=replace(_side(head), sha=commit),
                        seconds=time.monotonic() - began,
                        is_same=True,
                    ),
                    folder,
                )
        found = judge(request, rows, base, head, folder, say)
    versions = found.versions
    return (
        replace(
            gate,
            base=_side(
                base, python=request.python or sys.executable, versions=versions.get("base")
            ),
            head=replace(_side(head, versions=versions.get("head")), sha=commit),
            rows=found.rows,
            control=found.control,
            seconds=time.monotonic() - began,
            notes=found.notes,
        ),
        folder,
    )


def is_worse(row: Row) -> bool:
    """True if either witness found a regression."""
    return row.verdict is Verdict.REGRESSED or row.has_more_work


def _timed(
    rows: Sequence[Row], arms: Mapping[str, Arm], budget: Budget, say: Say, num_rows: int
) -> Schedule:
    pair = {name: arms[name] for name in ("base", "head")}
    twin = arms.get("control")
    same = {"base": replace(twin, name="base"), "head": pair["head"]} if twin else pair

    schedule = Schedule(
        rows=rows,
        budget=budget,
        take_block=lambda row, number: run_block(
            pair, row.cell, number=number, length=budget.block, step=row.step
        ),
        take_control=lambda number: run_control(same, number, budget),
        say=say,
        num_rows=num_rows,
    )
    schedule.run()
    return schedule


@contextmanager
def _sources(request: GateConfig) -> Iterator[tuple[SourceTree, SourceTree]]:
    """Yield the sources of base, checked out, and of head."""
    head = working_tree(request.models_from, request.file)
    with resolve_base(
        request.against, request.models_from, request.started_in, file=request.file
    ) as base:
        if request.python:
            base = replace(base, label=f"{base.label} under {request.python}")
        yield base, head


@contextmanager
def _arms(
    request: GateConfig, base: SourceTree, head: SourceTree, folder: Path, start: Start
) -> Iterator[dict[str, Arm]]:
    """Yield both arms, their launchers starting; with another interpreter also a second head arm for the control."""
    common: dict[str, Any] = {
        "selection": request.selection,
        "plan": PLANS[request.plan],
        "folder": folder,
        "out": request.out,
        "deadline": request.deadline,
        "preload": request.preload,
        "start": start,
    }
    with contextlib.ExitStack() as stack:
        python = request.python or sys.executable
        arms = {
            "base": stack.enter_context(open_arm("base", base, python=python, **common)),
            "head": stack.enter_context(open_arm("head", head, **common)),
        }
        if request.python:
            arms["control"] = stack.enter_context(open_arm("control", head, **common))
        yield arms


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Turn SIGTERM, which a cancelled CI job sends, into KeyboardInterrupt, so that resources are closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt(f"signal {number}")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _side(
    sources: SourceTree, *, python: str = sys.executable, versions: Mapping[str, str] | None = None
) -> Side:
    return Side(
        label=sources.label,
        sha=sources.sha,
        python=python,
        versions=dict(versions or {}),
        changed=sources.changed,
        uncommitted=sources.uncommitted,
    )
