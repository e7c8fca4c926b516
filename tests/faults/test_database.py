"""PostgreSQL that is stopped, killed and started again while a history is written: whole runs or none, one sentence."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from history_stores import Server, entry, num_rows
from killing import Place, end
from mutations import count
from scripted_cells import MODELS, NAME, STEPS

from bench.history.errors import HistoryError
from bench.history.recording import record_entry

pytest_plugins = ["history_fixtures"]
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(sys.platform != "linux", reason="the server's processes are in /proc"),
]
ROOT = Path(__file__).parents[2]
RECORDS_OF_A_RUN = 6


def kill(server: Server) -> None:
    """SIGKILL of the server and of the processes that serve its connections, as the kernel does it for memory."""
    first = int((server.home / "data" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    for pid in (first, *map(int, children)):
        with_no_such = (ProcessLookupError,)
        try:
            os.kill(pid, signal.SIGKILL)
        except with_no_such:
            continue
    for _ in range(200):
        if not Path(f"/proc/{first}").exists():
            break
        time.sleep(0.05)


def stop(server: Server) -> None:
    server.stop()


@pytest.mark.parametrize(
    "how, seed", [(how, seed) for how in (stop, kill) for seed in range(count(1, 12))]
)
def test_a_server_that_goes_away_while_runs_are_written_has_whole_runs_alone(server, how, seed):
    draw, store = random.Random(f"{how.__name__}{seed}"), server.new_database()
    told: list[int] = []
    refused: list[tuple[int, str]] = []
    is_over = threading.Event()

    def write() -> None:
        for number in itertools.count():
            if is_over.is_set():
                return
            try:
                record_entry(entry(number, models=("mlp", "cnn")), store, deadline=30)
                told.append(number)
            except HistoryError as error:
                refused.append((number, str(error)))
                time.sleep(0.02)  # a server that is away refuses at once

    writer = threading.Thread(target=write)
    writer.start()
    while not told:
        time.sleep(0.01)
    for _ in range(2):
        time.sleep(draw.uniform(0.0, 0.5))
        how(server)
        time.sleep(draw.uniform(0.0, 0.3))
        server.start()
    num_before = len(told)
    for _ in range(1200):
        if len(told) > num_before:
            break
        time.sleep(0.05)
    is_over.set()
    writer.join(timeout=120)
    assert not writer.is_alive()
    assert len(told) > num_before, "it does not go on when the server is back"
    for _, message in refused:
        assert "\n" not in message
        assert "Traceback" not in message
    rows = num_rows(store)
    assert rows["records"] == RECORDS_OF_A_RUN * rows["runs"], "half a run"
    # What was answered as written is there; of what was refused, the answer alone may have been lost.
    assert len(told) <= rows["runs"] <= len(told) + len(refused)
    for number, _ in refused:
        record_entry(entry(number, models=("mlp", "cnn")), store)
    assert num_rows(store)["runs"] == len(told) + len(refused)


def test_a_run_whose_database_goes_away_says_so_and_is_recorded_later(server, tmp_path):
    store = server.new_database()
    arguments = (
        *("pytest", "bench", "--size", "tiny", "--plan", "quick", "-q", "-p", "no:cacheprovider"),
        *("-p", NAME, "--backend", "eager", "--models", MODELS, "-k", "size or latency"),
        *("--store", store),
    )
    place = Place(tmp_path, arguments)
    try:
        started = place.start()
        while place.lines() < len(STEPS) and started.poll() is None:
            time.sleep(0.02)
        server.stop()
        code = end(started, place)
        said = (place.out / "said").read_text()
        assert code == 0, said
        assert "Traceback" not in said
        assert "cannot be reached" in said
        (run,) = place.runs()
        assert f"history record {run}" in said.replace("\n", "")
        server.start()
        done = subprocess.run(
            [sys.executable, "-m", "bench", "history", "record", str(run), "--store", store],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert num_rows(store)["records"] == len(STEPS) * len(MODELS.split(","))
    finally:
        place.remove()
