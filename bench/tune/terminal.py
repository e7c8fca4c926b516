"""Terminal form of a choice: the answer, the table of lanes, what was left out, the bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.output.names import backend_name, variant_name
from bench.tune.choice import PICK, TIE, Ranked
from bench.tune.tuned import Tuned
from bench.tune.wording import (
    cost_text,
    doubts,
    grouped_reasons,
    judged_by,
    latency_text,
    limits_text,
    names,
    speed_head,
    speed_text,
    verdict,
    why_left_out,
)
from suite import units

MARKS = {PICK: ("▸", "bold green"), TIE: ("≈", "yellow")}
"""Place of a lane -> mark and style of its row."""
FRONT = "·"
"""Mark of a lane on the Pareto front."""

AXES: Final[Mapping[str, Callable[[Ranked], str]]] = {
    "state": lambda one: variant_name(one.candidate.cell.variant),
    "backend": lambda one: backend_name(one.candidate.cell.backend),
    "dtype": lambda one: one.candidate.cell.dtype,
    "threads": lambda one: str(one.candidate.threads),
    "batch": lambda one: str(one.candidate.cell.batch),
}
"""Column of the table -> a lane's text."""
NUMBERS: Final = ("threads", "batch")


def render_terminal(tuned: Tuned, console: Console) -> None:
    """Print the choice; the answer stands last but for the bundle, where a reader's eye and the prompt are."""
    title = names(tuned)
    console.print()
    context = [
        f"{tuned.model} {tuned.size} on {tuned.device}",
        judged_by(tuned),
        *tuned.machine.values(),
    ]
    console.print(Text(" · ".join(context), style="dim"))
    console.print(Text(f"limits: {limits_text(tuned.choice.limits, tuned.quality)}", style="dim"))
    timed = [one for one in tuned.choice.every if one.latency is not None]
    if timed:
        console.print(_table(timed, tuned))
        legend = "▸ ship, ≈ cannot be told apart from it, · best of its latency, quality and size"
        console.print(Text(f"{_common(timed)}{legend}", style="dim"))
    if reasons := grouped_reasons(tuned.choice, tuned):
        console.print(Text("Without a figure", style="bold"))
        for reason, members in reasons.items():
            lanes = dict.fromkeys(
                title[one.label].partition(", ")[0] if len(members) > 2 else title[one.label]
                for one in members
            )
            console.print(Text.assemble(("  – ", "dim"), ", ".join(lanes)))
            url = next((one.url for one in members if one.url), "")
            console.print(
                f"      {escape(reason)}{f' {url}' if url else ''}", style="dim", highlight=False
            )
    console.print()
    console.print(Text(verdict(tuned), style="bold"))
    ties = [title[one.candidate.label] for one in tuned.choice.ties]
    if ties:
        console.print(Text(f"  cannot be told apart from it: {'; '.join(ties)}"))
    for doubt in doubts(tuned):
        console.print(Text.assemble(("  not sure: ", "yellow"), doubt))
    if tuned.bundle:
        low, high = tuned.bundle_latency or (0.0, 0.0)
        console.print(
            Text(
                f"Bundle: python {tuned.bundle}/run.py runs it without this project; a fresh process takes"
                f" {units.seconds(low)} to {units.seconds(high)}"
            ),
            soft_wrap=True,
        )
    elif tuned.no_bundle:
        console.print(Text.assemble(("! ", "yellow"), f"no bundle: {tuned.no_bundle}"))
    found = tuned.found
    console.print(
        Text(
            f"{units.seconds(tuned.seconds)}, of them {units.seconds(found.turn_seconds)} of turns in"
            f" {units.plural(found.rounds, 'round')}; all of it: {tuned.folder}",
            style="dim",
        ),
        soft_wrap=True,
    )


def _common(rows: list[Ranked]) -> str:
    """Return on what all timed lanes agree, so that it has no column: `all on OpenVINO, threads 1; `."""
    words = {"backend": "on {}", "threads": "threads {}", "batch": "batch {}"}
    same = {
        name: texts for name, of in AXES.items() if len(texts := {of(one) for one in rows}) == 1
    }
    told = ", ".join(words.get(name, "{}").format(*texts) for name, texts in same.items())
    return f"all {told}; " if told and rows[1:] else ""


def _table(rows: list[Ranked], tuned: Tuned) -> Table:
    """Return a row per timed lane, the fastest first; axes on which all agree have no column."""
    axes = [name for name, of in AXES.items() if len({of(one) for one in rows}) > 1]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for name in axes:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    for name in ("latency", speed_head(tuned), "size"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("quality")
    table.add_column("why not", style="dim")
    for one in sorted(rows, key=lambda one: one.per_sample or float("inf")):
        mark, style = MARKS.get(one.place, (FRONT if one.is_on_front else "", ""))
        table.add_row(
            mark,
            *(AXES[name](one) for name in axes),
            latency_text(one),
            speed_text(one),
            units.num_bytes(one.candidate.num_bytes),
            cost_text(one.candidate.cost, tuned.quality),
            "" if one.place in MARKS else why_left_out(one, tuned),
            style=style if one.place == PICK else "",
        )
    return table
