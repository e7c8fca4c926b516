"""What is shown while a run goes on."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from suite.cell import Cell
from suite.engine.live_display import live_display
from suite.engine.progress import Work, progress_of
from suite.outcome import Outcome
from suite.record import Failure, Record
from suite.results.step_result import KeptState
from suite.results.train import TrainResult

CELL = Cell(model="bert", size="base")
ROOT = Path(__file__).parents[2]


def record(step: str = "latency", seconds: float = 2.0, outcome: str = "passed") -> Record:
    failure = None if outcome == "passed" else Failure(kind="E", message="because\nof this")
    return Record(
        run_id="r",
        cell=CELL,
        step=step,
        outcome=Outcome(outcome),
        failure=failure,
        seconds=seconds,
    )


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=100, force_terminal=terminal, color_system=None), file


def test_a_pipe_gets_one_line_per_step() -> None:
    view, file = console(terminal=False)
    with live_display(3, view) as display:
        for outcome in ("passed", "crashed"):
            display.begin(CELL.id, "latency")
            display.end(record(outcome=outcome))
    first, second = file.getvalue().splitlines()
    assert first.startswith("[1/3] ✓ passed  bert-base-eager-cpu-float32-b1  latency  2.00 s")
    assert first.endswith("about 5 s left")
    assert second.startswith("[2/3] ✗ crashed")
    assert "because" in second
    assert "of this" not in second


def test_a_terminal_shows_the_current_cell_the_counts_and_the_expected_rest() -> None:
    view, file = console(terminal=True)
    with live_display(10, view) as display:
        display.begin(CELL.id, "memory")
        display.end(record(seconds=60.0))
        display.begin(CELL.id, "coldstart")
    text = file.getvalue()
    assert "0 of 10" in text
    assert "bert-base-eager-cpu-float32-b1  memory" in text
    assert re.search(r"1 of 10 .*about 9 min left, until \d\d:\d\d", text)
    assert "✓ 1 passed" in text


def test_a_terminal_keeps_a_line_of_what_did_not_pass() -> None:
    view, file = console(terminal=True)
    with live_display(2, view) as display:
        display.begin(CELL.id, "memory")
        display.end(record(outcome="timed_out"))
    assert re.search(r"^.*\[1/2\] ✗ timed out .* because", file.getvalue(), re.MULTILINE)


def test_nothing_is_drawn_and_no_thread_runs_while_a_cell_is_measured() -> None:
    view, file = console(terminal=True)
    before = threading.active_count()
    with live_display(2, view) as display:
        display.begin(CELL.id, "latency")
        drawn = file.getvalue()
        assert threading.active_count() == before
        threading.Event().wait(0.3)
        assert file.getvalue() == drawn
        display.end(record())


def test_the_cursor_comes_back_when_the_run_is_interrupted() -> None:
    view, file = console(terminal=True)

    def interrupted() -> None:
        with live_display(2, view) as display:
            display.begin(CELL.id, "latency")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    text = file.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_a_cell_that_begins_inside_another_is_shown_in_its_place() -> None:
    view, _ = console(terminal=True)
    with live_display(2, view) as display:
        display.begin(CELL.id, "latency")
        display.begin(CELL.id, "export")
        display.end(record("export"))
        display.end(record())


def test_the_expected_rest_knows_that_steps_differ() -> None:
    progress = progress_of(6, ["export eager"] * 2 + ["latency eager"] * 4)
    assert progress.rest() is None
    progress.count(record("export", 30.0))
    progress.count(record("latency", 2.0))
    assert progress.rest() == 30.0 + 3 * 2.0


def test_a_step_not_seen_yet_counts_like_the_mean_of_all() -> None:
    progress = progress_of(3, ["export eager", "latency eager", "memory eager"])
    progress.count(record("export", 30.0))
    progress.count(record("latency", 10.0))
    assert progress.rest() == 20.0


def test_a_step_that_another_one_needed_is_counted_beside_the_plan() -> None:
    progress = progress_of(2, ["prune eager"] * 2)
    for step in ("train", "prune", "train", "prune"):
        progress.count(record(step=step))
    assert (progress.num_done, progress.total) == (4, 4)


def test_without_a_plan_by_step_the_mean_of_all_is_taken() -> None:
    progress = progress_of(4)
    progress.count(record("export", 30.0))
    progress.count(record("latency", 10.0))
    assert progress.rest() == 40.0


def test_what_is_typical_is_scaled_to_this_machine_until_it_was_seen() -> None:
    work = [Work(kind="export eager", seconds=8.0)] * 2 + [Work(kind="latency eager", seconds=2.0)]
    progress = progress_of(3, work)
    progress.count(record("export", 24.0))
    assert progress.rest() == 3 * (8.0 + 2.0)


def test_work_that_goes_on_side_by_side_counts_once() -> None:
    work = [Work(kind="export eager", seconds=8.0)] * 3
    progress = progress_of(3, work, lanes={"export eager": 2})
    progress.count(record("export", 8.0))
    assert progress.rest() == 8.0


def test_the_rest_ends_with_the_prompt_and_not_with_the_last_step() -> None:
    work = [Work(kind="latency eager", seconds=2.0), *[Work(kind="analysis", seconds=5.0)] * 3]
    progress = progress_of(1, work)
    progress.count(record("latency", 4.0))
    assert progress.rest() == 30.0
    progress.finish("analysis", 10.0)
    assert progress.rest() == 20.0
    for _ in range(2):
        progress.finish("analysis", 10.0)
    assert progress.rest() == 0.0


def test_a_pipe_gets_one_line_per_closing_task() -> None:
    view, file = console(terminal=False)
    work = [Work(kind="latency eager", seconds=2.0), *[Work(kind="analysis", seconds=5.0)] * 2]
    with live_display(1, view, work=work) as display:
        display.end(record(seconds=2.0))
        display.task("analysis", "bert", 5.0)
        display.say("writing the report ...")
    step, first, say = file.getvalue().splitlines()
    assert step.endswith("about 10 s left")
    assert first == "analysis 1 of 2  bert  5.00 s  about 5 s left"
    assert say == "writing the report ...  about 5 s left"


def test_a_terminal_shows_the_closing_tasks_too() -> None:
    view, file = console(terminal=True)
    with live_display(1, view, work=["latency eager", "analysis", "analysis"]) as display:
        display.end(record())
        display.task("analysis", "bert", 5.0)
    assert "analysis 1 of 2  bert" in file.getvalue()


def test_more_steps_than_planned_leave_no_negative_rest() -> None:
    progress = progress_of(1)
    for _ in range(3):
        progress.count(record())
    assert progress.rest() == 0.0


def test_the_display_reaches_the_screen_although_pytest_captures(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent(
            f"""
            import sys; sys.path.insert(0, {str(ROOT)!r})
            import pytest
            from suite.engine.live_display import live_display, open_console
            def pytest_configure(config):
                config.console = open_console()
            @pytest.fixture(scope="session")
            def live(request):
                with live_display(2, request.config.console) as display:
                    yield display
            """
        ),
        "utf-8",
    )
    (tmp_path / "test_it.py").write_text(
        "def test_it(live):\n    live.begin('the-cell', 'latency')\n    print('swallowed')\n",
        "utf-8",
    )
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    text = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        text += part
    os.close(leader)
    assert done.wait(60) == 0
    assert b"the-cell" in text
    assert b"swallowed" not in text


def test_a_state_that_was_made_again_says_why() -> None:
    changed = ("layers.py", "the record", "versions of libraries", "seed")
    state = KeptState(key="k", reused=False, changed=changed)
    view, file = console(terminal=False)
    with live_display(1, view) as display:
        display.end(replace(record("train"), result=TrainResult(state=state)))
    assert (
        file.getvalue()
        .rstrip()
        .endswith(
            "made again, because of changes: layers.py, the record, versions of libraries and 1 more"
        )
    )
