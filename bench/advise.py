"""`python -m bench advise MODEL`: which state to ship under limits, from stored runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from bench.limit_options import add_limit_options, limits_of
from bench.output.console import print_to
from bench.summary.advice import Advice, Limits, advice_for
from bench.summary.advice_text import (
    cost_text,
    limits_text,
    size_text,
    speed_text,
    state_text,
    verdict,
)
from bench.summary.build import build_report
from diagnostics.did_you_mean import did_you_mean
from suite.runs.folder import RUNS, NoSuchRun, find_run, runs_in
from suite.runs.load import load_run

NONE: Final = 1
TROUBLE: Final = 2
SEARCHED: Final = 50
"""Newest runs that are looked through for a model."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add("model", metavar="MODEL")
    add("--size", default="", help="tiny or base (default: the largest that the run has)")
    add_limit_options(parser)
    add("--run", default="", metavar="RUN", help="from this run (default: the newest that has it)")
    add("--runs-dir", type=Path, default=RUNS, metavar="DIR", help=f"default: {RUNS}")


def main(arguments: argparse.Namespace) -> int:
    """Say what to ship: 0 when a state qualifies, 1 when none does, 2 when nothing is known of the model."""
    limits = limits_of(arguments)
    try:
        folders = (
            [find_run(arguments.run, arguments.runs_dir)]
            if arguments.run
            else runs_in(arguments.runs_dir)[:SEARCHED]
        )
    except NoSuchRun as error:
        print(f"python -m bench advise: {error}", file=sys.stderr)
        return TROUBLE
    advice, run, known = _find(folders, arguments, limits)
    if advice is None:
        print(f"python -m bench advise: {_unknown(arguments, known)}", file=sys.stderr)
        return TROUBLE
    print_to(None, lambda console: show(advice, run, console), highlight=False)
    return 0 if advice.fastest else NONE


def _find(
    folders: Sequence[Path], arguments: argparse.Namespace, limits: Limits
) -> tuple[Advice | None, str, set[str]]:
    """(advice from the newest run with that model, name of the run, models that were seen on the way)."""
    known: set[str] = set()
    for folder in folders:
        every = advice_for(build_report(load_run(folder)).lives, limits).values()
        known |= {advice.life.model for advice in every}
        asked = [
            advice
            for advice in every
            if advice.life.model == arguments.model and arguments.size in ("", advice.life.size)
        ]
        if asked:  # sizes in the order of their names: base before tiny
            return min(asked, key=lambda advice: advice.life.size), folder.name, known
    return None, "", known


def show(advice: Advice, run: str, console: Console) -> None:
    """The advice on a terminal: the answer, what each costs, how sure it is, what was refused and why."""
    life, quality = advice.life, advice.life.quality
    metric = f", by {quality.name}" if quality else ""
    console.print(f"[bold]{escape(life.model)}[/bold] {life.size}{metric}, from run {escape(run)}")
    console.print(f"[dim]limit: {escape(limits_text(advice.limits, quality))}[/dim]")
    console.print()
    console.print(f"[bold]{escape(verdict(advice))}[/bold]")
    chosen = {"fastest": advice.fastest, "smallest": advice.smallest}
    for word, state in chosen.items():
        if state is None or (word == "smallest" and state is advice.fastest):
            continue
        console.print(
            f"  {word}: {escape(state_text(state))}: {escape(speed_text(state))};"
            f" {escape(size_text(state, advice.reference))}; {escape(cost_text(state, quality))}"
        )
    if advice.rivals:
        names = ", ".join(state_text(state) for state in advice.rivals)
        console.print(f"  about as fast, the intervals meet: {escape(names)}")
    for doubt in advice.doubts if advice.fastest else ():
        console.print(f"  [yellow]not sure[/yellow]: {escape(doubt)}")
    if advice.refused:
        console.print()
        console.print("[dim]left out:[/dim]")
        for refused in advice.refused:
            why = "; ".join(refused.reasons)
            console.print(f"  [dim]{escape(state_text(refused.state))}: {escape(why)}[/dim]")


def _unknown(arguments: argparse.Namespace, known: set[str]) -> str:
    where = arguments.run or arguments.runs_dir
    if arguments.model in known:
        return f"{where}: no states of {arguments.model} at {arguments.size}; leave --size out"
    if not known:
        return (
            f"{where}: no run with states of a model; expected one of `pytest suite`."
            f" Next: pytest suite --models {arguments.model}"
        )
    return (
        f"{where}: no states of {arguments.model}{did_you_mean(arguments.model, sorted(known))}."
        f" Next: pytest suite --models {arguments.model}"
    )
