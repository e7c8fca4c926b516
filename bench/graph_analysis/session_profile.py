"""Worker side. Profile of one graph in ONNX Runtime: its nodes, their shapes and provider, and what one thread does.

The graph runs on the model's own batch, a user's file on random numbers. Seconds of nodes are medians over several
runs of a session that profiles; runs with one thread and with all of them take turns in sessions that do not.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from bench.graph_analysis.evidence import Evidence, ProfiledNode, SessionProfileOptions
from bench.graph_analysis.profiled import nodes_of, open_session, product_rate, timed
from bench.graph_analysis.running import working_feeds
from bench.graph_analysis.work import batch_arrays
from bench.instruments.counters import disturbances, read_counters
from bench.paired_ratio import MIN_PAIRS
from suite.results.step_output import StepOutput
from suite.timing import wait_for_idle_threads
from suite.worker.protocol import CellJob, Emit, Job

LEAST_RUNS, MOST_RUNS = 4, 12
"""Profiled runs, with the cold one: a node that was preempted once must not look slow."""
PROFILED_SECONDS: Final = 2.0
TURNS: Final = 9
TURN_SECONDS: Final = 0.02
MOST_SECONDS: Final = 6.0
"""Seconds of all turns; at least three pairs are made."""


def run(job: Job, emit: Emit) -> StepOutput[Evidence]:
    """Profile the graph of SessionProfileOptions; with a cell, on its model's batch."""
    asked = job.read(SessionProfileOptions)
    path, threads = Path(asked.file), job.options.threads
    emit("phase", name="input")
    if isinstance(job, CellJob):
        tensors, fed = batch_arrays(job, emit)
    else:
        tensors, fed = working_feeds(path, asked.sizes), "random numbers"
    emit("phase", name="profile")
    nodes, names, provider = profiled(path, tensors, threads)
    emit("phase", name="peak")
    peak = product_rate(threads)
    emit("phase", name="turns")
    feeds = {name: tensors[name] for name in names}
    many, one, starved = thread_turns(path, feeds, threads)
    return StepOutput(
        result=Evidence(
            nodes=nodes,
            provider=provider,
            threads=threads,
            fed=fed,
            many=many,
            one=one,
            starved=starved,
            peak=peak,
        )
    )


def profiled(
    path: Path, tensors: Mapping[str, Any], threads: int
) -> tuple[tuple[ProfiledNode, ...], tuple[str, ...], str]:
    """Return the nodes as they ran, the graph's inputs, and the first provider. Raises what ONNX Runtime raises."""
    with tempfile.TemporaryDirectory(prefix="vitals-why-") as folder:
        prefix = str(Path(folder, "profile"))
        session = open_session(path, threads, enable_profiling=True, profile_file_prefix=prefix)
        names = tuple(port.name for port in session.get_inputs())
        feeds = {name: tensors[name] for name in names}
        session.run(None, feeds)
        began, num_runs = perf_counter(), 1
        while num_runs < LEAST_RUNS or (
            num_runs < MOST_RUNS and perf_counter() - began < PROFILED_SECONDS
        ):
            session.run(None, feeds)
            num_runs += 1
        provider = session.get_providers()[0]
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return nodes_of(events, num_runs), names, provider


def thread_turns(
    path: Path, feeds: Mapping[str, Any], threads: int
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]]:
    """Return seconds per run of all threads and of one in turns (A B B A), and the numbers of the starved turns."""
    if threads < 2:
        return (), (), ()
    sessions = [open_session(path, number) for number in (threads, 1)]
    repeats = []
    for session in sessions:
        session.run(None, dict(feeds))
        once = timed(partial(session.run, None, feeds))
        repeats.append(max(1, round(TURN_SECONDS / max(once, 1e-9))))
        wait_for_idle_threads()
    taken: tuple[list[float], list[float]] = ([], [])
    starved = []
    began = perf_counter()
    for turn in range(TURNS):
        if turn >= MIN_PAIRS and perf_counter() - began > MOST_SECONDS:
            break
        for arm in (0, 1) if turn % 2 == 0 else (1, 0):
            before = read_counters()
            seconds = timed(partial(_repeated, sessions[arm], feeds, repeats[arm]))
            if "starved" in disturbances(before, read_counters(), seconds):
                starved.append(turn)
            taken[arm].append(seconds / repeats[arm])
            wait_for_idle_threads()
    return tuple(taken[0]), tuple(taken[1]), tuple(dict.fromkeys(starved))


def _repeated(session: Any, feeds: Mapping[str, Any], number: int) -> None:
    for _ in range(number):
        session.run(None, feeds)
