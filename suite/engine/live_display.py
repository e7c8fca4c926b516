"""Live display of a run in progress, redrawn only when a cell begins or ends.

A refresh thread would take CPU time from the measured process. The display therefore shows the expected end time
instead of a running counter: it stays correct without redrawing.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from suite import units
from suite.engine.steps import step_name
from suite.outcome import WORDING, Outcome
from suite.record import Record

# Progress of a run: finished steps by outcome, and an estimate of the remaining time.


@dataclass(slots=True, kw_only=True)
class Progress:
    """Progress of a run of `total` steps; changed by `count` alone."""

    total: int
    steps: Counter[str]
    """Step -> number still to come; empty if the planned steps are not known."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    name_of: Callable[[str], str] = step_name
    """Formats a step's name."""
    spent: dict[str, list[float]] = field(default_factory=dict)
    """Step -> seconds of each of its finished records."""

    @property
    def num_done(self) -> int:
        """Number of steps that have a record."""
        return self.outcomes.total()

    def count(self, record: Record) -> None:
        """Take one finished step into account."""
        self.outcomes[record.outcome] += 1
        self.spent.setdefault(record.step, []).append(record.seconds)
        if self.steps.get(record.step):
            self.steps[record.step] -= 1
        elif self.steps:  # not planned: run because another step needed its result
            self.total += 1

    def rest(self) -> float | None:
        """Return the estimated seconds of the remaining steps from the mean so far, or None before the first.

        Each kind of step has its own mean; one not seen yet takes the mean of all.
        """
        seen = [seconds for values in self.spent.values() for seconds in values]
        if not seen:
            return None
        mean = sum(seen) / len(seen)
        if not self.steps.total():
            return mean * max(0, self.total - self.num_done)
        means = {step: sum(values) / len(values) for step, values in self.spent.items()}
        return sum(means.get(step, mean) * left for step, left in self.steps.items())

    def counts(self) -> list[tuple[Outcome, int]]:
        """Return (outcome, count) in reading order, without outcomes that did not occur."""
        return [(outcome, self.outcomes[outcome]) for outcome in WORDING if self.outcomes[outcome]]


def progress_of(
    total: int, steps: Sequence[str] = (), name_of: Callable[[str], str] = step_name
) -> Progress:
    """Return the progress of a run that has not started; `steps` names the step of every planned record if known."""
    return Progress(total=total, steps=Counter(steps), name_of=name_of)


@dataclass(frozen=True, slots=True)
class Display:
    """Callbacks that a run invokes to report its progress."""

    begin: Callable[[str, str], None]
    """`begin(cell_id, step)`: called when a step starts."""
    end: Callable[[Record], None]
    """`end(record)`: called with the step's record when it has finished."""


def open_console() -> Console:
    """Return a console on the real standard error, even while pytest captures it. Call it in `pytest_configure`."""
    stream = sys.__stderr__
    if stream is None:  # a process without a console
        return Console(file=open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
    return Console(file=os.fdopen(os.dup(stream.fileno()), "w", encoding="utf-8", errors="replace"))


@contextmanager
def live_display(
    total: int,
    console: Console,
    *,
    steps: Sequence[str] = (),
    name_of: Callable[[str], str] = step_name,
) -> Iterator[Display]:
    """Yield a display for `total` steps: a few lines at the bottom of a terminal, otherwise one line per step.

    `steps` names the step of every planned record and improves the estimate of the remaining time; `name_of` formats a
    step's name. The lines are shown only while a cell is measured and removed before another writer, such as pytest,
    prints.
    """
    progress = progress_of(total, steps, name_of)
    if console.is_terminal and not console.is_dumb_terminal:
        with _panel(progress, console) as display:
            yield display
    else:
        yield _lines(progress, console)


@contextmanager
def _panel(progress: Progress, console: Console) -> Iterator[Display]:
    began = time.monotonic()
    shown: list[Live] = []

    def hide() -> None:
        while shown:
            shown.pop().stop()

    def begin(cell: str, step: str) -> None:
        hide()
        view = Live(
            _view(progress, cell, step, time.monotonic() - began, datetime.now().astimezone()),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        shown.append(view)
        view.start(refresh=True)

    def end(record: Record) -> None:
        hide()
        progress.count(record)
        if not record.outcome.has_run:
            console.print(
                _line(progress, record), soft_wrap=False, overflow="ellipsis", no_wrap=True
            )

    try:
        yield Display(begin=begin, end=end)
    finally:
        hide()


def _lines(progress: Progress, console: Console) -> Display:
    def end(record: Record) -> None:
        progress.count(record)
        line = _line(progress, record)
        rest = progress.rest()
        if rest and progress.num_done < progress.total:
            line.append(f"  {_about(rest)} left")
        console.print(line, soft_wrap=True)

    return Display(begin=lambda cell, step: None, end=end)


def _line(progress: Progress, record: Record) -> Text:
    """Return `[ 45/240] ✓ passed  bert-base-eager-cpu-float32-b1  latency  2.5 s`, with the reason if not passed."""
    words, width = WORDING[record.outcome], len(str(progress.total))
    text = Text.assemble(
        (f"[{progress.num_done:>{width}}/{progress.total}] ", "dim"),
        (f"{words.mark} {words.title}", words.style),
        f"  {record.cell.id}  {progress.name_of(record.step)}",
        (f"  {units.seconds(record.seconds)}", "dim"),
    )
    if record.failure and not record.outcome.has_run:
        text.append(f"  {record.failure.message.strip().partition(chr(10))[0][:200]}", "dim")
    return text


def _view(
    progress: Progress, cell: str, step: str, elapsed: float, now: datetime
) -> RenderableType:
    rest = progress.rest()
    times = f"{_clock(elapsed)} elapsed"
    if rest is not None:
        end = (now + timedelta(seconds=rest)).strftime("%H:%M")
        times += f", {_about(rest)} left, until {end}"
    head = Table.grid(padding=(0, 2), expand=False)
    head.add_row(
        ProgressBar(
            total=max(1, progress.total),
            completed=progress.num_done,
            width=24,
            complete_style="cyan",
        ),
        Text(f"{progress.num_done} of {progress.total}"),
        Text(times, style="dim", no_wrap=True, overflow="ellipsis"),
    )
    current = Text.assemble(("▸ ", "cyan"), cell, (f"  {progress.name_of(step)}", "cyan"))
    current.no_wrap, current.overflow = True, "ellipsis"
    counts = Text(no_wrap=True, overflow="ellipsis")
    for outcome, number in progress.counts():
        words = WORDING[outcome]
        counts.append(f"{words.mark} {number} {words.title}", words.style).append("   ")
    return Group(head, current, counts)


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    return f"about {round(seconds / 60)} min"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
