"""The self-test in the terminal."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.gate.control_models import WORKLOADS
from bench.gate.selftest_history import SelftestHistory, Tally
from bench.gate.selftest_result import SelfTest
from bench.stats import median
from suite import units

WORDS = {0: "the same work", 5: "5% more work", 10: "10% more work"}


def render_selftest(found: SelfTest, console: Console) -> None:
    """Print the results of this run and of all runs in this environment."""
    style = "bold green" if found.supports_plan else "bold red"
    console.print()
    console.print(Text(f"Self-test: {found.sentence}", style=style))
    if found.note:
        console.print(Text.assemble(("! ", "yellow"), found.note))
    console.print(_verdicts(found))
    bound = units.percent(found.total.false_alarm_bound)
    same = found.total.tallies.get(0, Tally())
    console.print(
        f"False alarms: {same.regressed} in {same.rows} unchanged rows,"
        f" so at most {bound} of rows (95%)"
    )
    console.print(_workloads(found))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("known difference", "expected", "reported", "error", ""):
        table.add_column(name, justify="left" if name in ("known difference", "") else "right")
    for check in found.memory:
        error = None if check.reported is None else check.reported / check.expected - 1
        table.add_row(
            check.name,
            units.shown(check.expected, check.unit),
            units.shown(check.reported, check.unit),
            units.percent(error, sign=True),
            Text("found", style="green") if check.holds else Text("not found", style="red"),
        )
    console.print(table)
    if found.work:
        console.print(_work(found))
    elif found.without:
        console.print(Text(found.without, style="dim"))
    console.print("The smallest thresholds that this machine supports, for pyproject.toml:")
    console.print(Text(found.thresholds))
    console.print(Text(f"{found.total.runs} self-test(s) of this environment", style="dim"))


def _verdicts(found: SelfTest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("head does")
    for name in ("REGRESSED", "INCONCLUSIVE", "passed", "all runs here: REGRESSED"):
        table.add_column(name, justify="right")
    for more, words in WORDS.items():
        one, all_of = _tally(found.this, more), _tally(found.total, more)
        share = f" ({units.percent(all_of.recall)})" if all_of.rows else ""
        table.add_row(
            words,
            f"{one.regressed} of {one.rows}",
            str(one.inconclusive),
            str(one.passed),
            f"{all_of.regressed} of {all_of.rows}{share}",
        )
    return table


def _workloads(found: SelfTest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("benchmark")
    table.add_column("spread of blocks", justify="right")
    table.add_column("smallest slowdown found", justify="right")
    table.add_column("stands for")
    for kind, what in WORKLOADS.items():
        noise, effect = found.total.noise.get(kind), found.detectable.get(kind)
        table.add_row(
            kind,
            units.percent(noise.spread) if noise and math.isfinite(noise.spread) else "",
            units.percent(effect) if effect is not None and math.isfinite(effect) else "none",
            what,
        )
    return table


def _work(found: SelfTest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("benchmark")
    for name in ("instructions per pass", "more than without", "verdict"):
        table.add_column(name, justify="right")
    for name, work in found.work.items():
        ends = (units.percent(end, sign=True) for end in (work.low, work.high))
        growth = f"{units.percent(work.growth, sign=True)} ({' to '.join(ends)})"
        table.add_row(name, units.shown(median(work.head), "1"), growth, work.verdict.value)
    return table


def _tally(ledger: SelftestHistory, more: int) -> Tally:
    return ledger.tallies.get(more, Tally())
