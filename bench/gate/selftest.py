"""Self-test: known differences measured on this machine by the gate's own procedure."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.gate import control_models as controls
from bench.gate.arm import Arm, Start, handshake, open_arm
from bench.gate.budget import BUDGETS, Budget
from bench.gate.cause import TIME
from bench.gate.errors import GateError
from bench.gate.instruction_counter import InstructionCounter
from bench.gate.memory_control import control_cell, memory_checks
from bench.gate.pairing import NEGATIVE_CONTROL, run_block, run_control, run_in_both_arms
from bench.gate.power import spread_of
from bench.gate.row import Row
from bench.gate.run import sigterm_as_interrupt
from bench.gate.schedule import Schedule, control_shift, effects_of
from bench.gate.selftest_history import Noise, SelftestHistory, Tally, load_history, save_history
from bench.gate.selftest_result import SelfTest, percent_of
from bench.gate.source_tree import working_tree
from bench.gate.thresholds import Limits
from bench.gate.verdict import Verdict, detectable_effect
from bench.gate.witness import NotCounted, count_cells, counting, witness_of
from bench.gate.work import Work
from bench.plan import PLANS
from diagnostics.atomic_write import write_whole
from suite.options import Asked, Selection, resolve
from suite.worker.client import Launcher, LauncherError

THRESHOLDS: Final = "thresholds.toml"
"""Name of the file with the table for pyproject.toml."""
MORE: Final = (0, 5, 10)
"""Percent of more work in head."""


def run_selftest(
    *,
    out: Path,
    plan: str,
    threads: int,
    deadline: float,
    fingerprint: str,
    say: Callable[[str], None] = lambda text: None,
    start: Start = Launcher,
    budget: Budget | None = None,
    select: Callable[[int], Selection] | None = None,
    witness: str = TIME,
) -> SelfTest:
    """Run unchanged rows, positive and negative controls and memory controls, and add them to this environment's
    history for that plan in `out`/selftest. Raises GateError if the controls do not run.
    """
    counter, without = witness_of(witness)
    budget = budget or BUDGETS[plan]
    selection = (select or control_selection)(threads)
    folder = out / "selftest" / "work"
    with sigterm_as_interrupt(), contextlib.ExitStack() as stack:
        arms = {
            name: stack.enter_context(
                open_arm(
                    name,
                    working_tree(Path(selection.job_options.models_from)),
                    selection=selection,
                    plan=PLANS["standard"],
                    folder=folder,
                    out=out,
                    deadline=deadline,
                    preload=selection.preload(),
                    start=start,
                )
            )
            for name in ("base", "head")
        }
        say("importing the libraries in both arms ...")
        arms = run_in_both_arms(lambda name: handshake(arms[name], list(selection.specs)))
        say("memory controls")
        memory = memory_checks(arms)
        schedule = _schedule(arms, budget, say)
        schedule.run()
        work = _count_controls(arms, counter, say) if counter is not None else {}
    broken = next((row for row in schedule.rows if row.broken or row.skipped), None)
    if broken is not None:
        raise GateError(
            f"the control {broken.cell.model} does not run: {broken.broken or broken.skipped}"
        )
    this = history_of_rows(schedule.rows, fingerprint)
    before, note = load_history(out / "selftest", fingerprint, plan)
    total = before.plus(this)
    save_history(out / "selftest", total, plan)
    result = SelfTest(
        this=this,
        total=total,
        detectable=detectable_shares(total, budget),
        threshold=Limits().shares["latency_clear"],
        memory=memory,
        has_control_shifted=control_shift(schedule.control, least=Limits().least) is not None,
        rows=schedule.rows,
        note=note,
        work=work,
        without=without,
    )
    write_whole(out / "selftest" / THRESHOLDS, result.thresholds)
    return result


def _count_controls(
    arms: Mapping[str, Arm], counter: InstructionCounter, say: Callable[[str], None]
) -> dict[str, Work]:
    """Count the work of every control model against that of its kind. Raises GateError if it cannot be counted."""
    names = [controls.work_name(kind, more) for kind in controls.WORKLOADS for more in MORE]
    found = {}
    try:
        with counting(arms, counter, say=say, what=f"{len(names)} controls") as counted:
            for name in names:
                cells = {
                    "base": control_cell(name.partition("-plus-")[0]),
                    "head": control_cell(name),
                }
                found[name] = count_cells(cells, counted, Limits())
    except LauncherError as error:
        raise GateError(counter.why_not_started(str(error))) from error
    except NotCounted as error:
        raise GateError(f"the controls cannot be counted in {error}") from error
    return found


def control_selection(threads: int) -> Selection:
    """Return the selection of the control models on the CPU."""
    asked = Asked(
        models_from=Path(controls.__file__),
        models=[spec.name for spec in controls.MODELS],
        size="tiny",
        backend=NEGATIVE_CONTROL.backend,
        device=NEGATIVE_CONTROL.device,
        threads=threads,
    )
    return resolve(asked, num_gpus=0, num_cores=threads)


def _schedule(arms: Mapping[str, Arm], budget: Budget, say: Callable[[str], None]) -> Schedule:
    rows = [
        Row(cell=control_cell(controls.work_name(kind, more)), limits=Limits())
        for kind in controls.WORKLOADS
        for more in MORE
    ]

    def take(row: Row, number: int) -> Any:
        cells = {"base": control_cell(workload_of(row)), "head": row.cell}
        return run_block(arms, cells, number=number, length=budget.block)

    return Schedule(
        rows=rows,
        budget=budget,
        take_block=take,
        take_control=lambda number: run_control(arms, number, budget),
        say=say,
    )


def workload_of(row: Row) -> str:
    """Return the workload of a control row."""
    return row.cell.model.partition("-plus-")[0]


def percent_more_work(row: Row) -> int:
    """Return by how many percent the head arm of a control row does more work."""
    return percent_of(row.cell.model)


def history_of_rows(rows: Sequence[Row], fingerprint: str) -> SelftestHistory:
    """Add up the rows' verdicts and noise."""
    found = SelftestHistory(fingerprint=fingerprint, runs=1)
    for row in rows:
        one = Tally(
            rows=1,
            regressed=int(row.verdict is Verdict.REGRESSED),
            passed=int(row.verdict in (Verdict.NO_REGRESSION, Verdict.IMPROVED)),
            inconclusive=int(row.verdict is Verdict.INCONCLUSIVE),
        )
        noise = Noise()
        for blocks in (row.screen, row.confirm):
            if len(blocks) > 1:
                degrees = len(blocks) - 1
                squares = spread_of(effects_of(blocks)) ** 2 * degrees
                noise = noise.plus(Noise(squares=squares, degrees=degrees))
        found = found.plus(
            SelftestHistory(
                fingerprint=fingerprint,
                tallies={percent_more_work(row): one},
                noise={workload_of(row): noise},
            )
        )
    return found


def detectable_shares(ledger: SelftestHistory, budget: Budget) -> dict[str, float]:
    """Return workload -> smallest slowdown (share) that the plan's blocks detect in 4 of 5 runs."""
    return {
        kind: math.expm1(
            detectable_effect(noise.spread, num_blocks=budget.most, least=Limits().least)
        )
        for kind, noise in ledger.noise.items()
    }
