"""Live display of a run in progress, redrawn only when a cell begins or ends.

A refresh thread would take CPU time from the measured process. The display therefore shows the expected end time
instead of a running counter: it stays correct without redrawing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from diagnostics.control_codes import without_codes
from suite import units
from suite.calm_console import calm_console
from suite.engine.progress import Progress, Work, progress_of
from suite.engine.steps import step_name
from suite.outcome import WORDING
from suite.record import Record
from suite.results.step_result import StageResult


@dataclass(frozen=True, slots=True)
class Display:
    """Callbacks that a run invokes to report its progress."""

    begin: Callable[[str, str], None]
    """`begin(cell_id, step)`: called when a step starts."""
    end: Callable[[Record], None]
    """`end(record)`: called with the step's record when it has finished."""
    say: Callable[[str], None]
    """`say(text)`: called when a closing task starts that is neither a step nor one of many."""
    task: Callable[[str, str, float], None]
    """`task(kind, name, seconds)`: called when a closing task has finished."""


SILENT = Display(
    begin=lambda cell, step: None,
    end=lambda record: None,
    say=lambda text: None,
    task=lambda kind, name, seconds: None,
)


def open_console() -> Console:
    """Return a console on the real standard error, even while pytest captures it. Call it in `pytest_configure`."""
    stream = sys.__stderr__
    if stream is None:  # a process without a console
        return calm_console(file=open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
    return calm_console(
        file=os.fdopen(os.dup(stream.fileno()), "w", encoding="utf-8", errors="replace")
    )


@contextmanager
def live_display(
    total: int,
    console: Console,
    *,
    work: Sequence[Work | str] = (),
    name_of: Callable[[str], str] = step_name,
    lanes: Mapping[str, int] | None = None,
) -> Iterator[Display]:
    """Yield a display for `total` steps: a few lines at the bottom of a terminal, otherwise one line per step.

    `work` has every planned step and the tasks that close the run: the expected rest covers both. `name_of` formats a
    step's name; `lanes`: kind of work -> how many go on at a time. The lines are shown only while a cell is measured
    and removed before another writer, such as pytest, prints.
    """
    progress = progress_of(total, work, name_of, lanes)
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
        show(cell, progress.name_of(step))

    def show(what: str, how: str) -> None:
        hide()
        view = Live(
            _view(progress, what, how, time.monotonic() - began, datetime.now().astimezone()),
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

    def task(kind: str, name: str, seconds: float) -> None:
        progress.finish(kind, seconds)
        show(_task(progress, kind), name)

    try:
        yield Display(begin=begin, end=end, say=lambda text: show(text, ""), task=task)
    finally:
        hide()


def _lines(progress: Progress, console: Console) -> Display:
    def end(record: Record) -> None:
        progress.count(record)
        put(_line(progress, record))

    def put(line: Text) -> None:
        if rest := progress.rest():
            line.append(f"  {_about(rest)} left")
        if (
            console.color_system is None
        ):  # a pipe; to render what has no style takes six times as long
            console.file.write(f"{without_codes(line.plain)}\n")
            console.file.flush()
        else:
            console.print(line, soft_wrap=True)

    def task(kind: str, name: str, seconds: float) -> None:
        progress.finish(kind, seconds)
        put(Text(f"{_task(progress, kind)}  {name}").append(f"  {units.seconds(seconds)}", "dim"))

    return Display(
        begin=lambda cell, step: None, end=end, say=lambda text: put(Text(text)), task=task
    )


def _task(progress: Progress, kind: str) -> str:
    """Return `analysis 3 of 28`."""
    done = progress.tasks[kind]
    to_come = progress.left.get(kind)
    total = done + (len(to_come.pieces) if to_come else 0)
    return f"{kind} {done} of {total}" if total > 1 else kind


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
    state = record.result.state if isinstance(record.result, StageResult) else None
    if state is not None and state.changed:
        names = ", ".join(state.changed[:3])
        more = f" and {len(state.changed) - 3} more" if len(state.changed) > 3 else ""
        text.append(f"  made again, because of changes: {names}{more}", "dim")
    return text


def _view(progress: Progress, what: str, how: str, elapsed: float, now: datetime) -> RenderableType:
    """Return the lines of the panel; `what` goes on, in the step `how`."""
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
    current = Text.assemble(("▸ ", "cyan"), what, (f"  {how}", "cyan"))
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
