"""Worker side. Compilation: seconds of torch.compile without a cache, in a warm process and from a kept cache, and
where the graph breaks or is compiled again.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.instruments.options import CompilationOptions
from bench.instruments.stopwatch import CLOCK, NS
from suite.backends.runnable import runnable_for
from suite.measurement import Measurement
from suite.results.measuring import CompilationResult, GraphBreak, Recompilation
from suite.results.step_output import StepOutput, widened
from suite.worker.protocol import CellJob, Emit

CACHE: Final = "TORCHINDUCTOR_CACHE_DIR"
LOGGER: Final = "torch._dynamo.symbolic_convert.__graph_breaks"
BREAK: Final = re.compile(
    r"Graph break in user code at (.+):(\d+)\n(?:Graph Break )?Reason: (.+)", re.DOTALL
)
"""What torch 2.15 logs of a break under TORCH_LOGS=graph_breaks."""
SKIPPED: Final = "Failed to handle graph break gracefully"
"""How a reason begins if torch runs the whole function in Python."""
GENERAL: Final = ("Encountered graph break", SKIPPED)
"""How reasons begin whose first paragraph says no more than that."""
EXPLAINED: Final = re.compile(r"^\s*Explanation: (.+)$", re.MULTILINE)
ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")
LIMIT: Final = "recompile limit exceeded"
DETAIL: Final = 300
"""Most characters of a detail."""
PASSES: Final = 2
"""Passes after the first: code that is compiled again for the same input is found in them."""


def run(job: CellJob, emit: Emit) -> StepOutput[CompilationResult]:
    """Measure the first pass with the cache of CompilationOptions, as `compile_cold`, and once more in the same process
    after torch.compile has forgotten everything but its cache, as `compile_warm`; with `is_kept` the first is
    `compile_cached`. Seconds, the pass itself included.
    """
    import torch._dynamo as dynamo

    asked = job.read(CompilationOptions)
    os.environ[CACHE] = asked.cache
    subject = runnable_for(job, emit)
    dynamo.reset()
    found: list[Measurement] = []
    with subject.inference():
        emit("phase", name="first_forward")
        first, made = watched(subject.call, subject.synchronize)
        if asked.is_kept:
            found.append(Measurement(metric="compile_cached", unit="s", samples=(first,)))
        else:
            emit("phase", name="second_compilation")
            dynamo.reset()
            again = _timed(subject.call, subject.synchronize)
            found += [
                Measurement(metric="compile_cold", unit="s", samples=(first,)),
                Measurement(metric="compile_warm", unit="s", samples=(again,)),
            ]
    return StepOutput(
        measurements=tuple(found),
        result=widened(
            CompilationResult,
            subject.setup,
            num_graphs=made.num_graphs,
            breaks=made.breaks,
            recompilations=made.recompilations,
            given_up=made.given_up,
        ),
        data=subject.data,
    )


def watched(
    call: Callable[[], object], synchronize: Callable[[], None] = lambda: None
) -> tuple[float, CompilationResult]:
    """Return the seconds of the first pass, and what torch.compile made in it and in PASSES more of the same input."""
    from torch._dynamo import utils

    utils.clear_compilation_metrics()
    utils.counters.clear()
    with heard_breaks() as breaks:
        first = _timed(call, synchronize)
        for _ in range(PASSES):
            call()
    again, given_up = recompilations(utils.get_compilation_metrics())
    return first, CompilationResult(
        num_graphs=int(utils.counters["stats"]["unique_graphs"]),
        breaks=tuple(dict.fromkeys(breaks)),
        recompilations=again,
        given_up=given_up,
    )


def _timed(call: Callable[[], object], synchronize: Callable[[], None]) -> float:
    begin = CLOCK()
    call()
    synchronize()
    return (CLOCK() - begin) * NS


@contextmanager
def heard_breaks() -> Iterator[list[GraphBreak]]:
    """Within the block, collect every graph break."""
    from torch._logging._internal import set_logs

    found: list[GraphBreak] = []

    class Ear(logging.Handler):
        """Hands every message to `break_of`."""

        def emit(self, record: logging.LogRecord) -> None:
            if (told := break_of(record.getMessage())) is not None:
                found.append(told)

    silenced = logging.root.manager.disable  # by a user's own file
    logging.disable(logging.NOTSET)
    set_logs(graph_breaks=True)
    ear, logger = Ear(), logging.getLogger(LOGGER)
    logger.addHandler(ear)
    try:
        yield found
    finally:
        logger.removeHandler(ear)
        set_logs()
        logging.disable(silenced)


def break_of(message: str) -> GraphBreak | None:
    """Return the break that torch has logged; None for any other message."""
    match = BREAK.search(message)
    if match is None:
        return None
    reason, _, rest = match[3].partition("\n\n")
    is_skipped = reason.startswith(SKIPPED)
    told = rest if rest and reason.startswith(GENERAL) else match[3]
    detail = EXPLAINED.search(told)
    return GraphBreak(
        place=f"{short(match[1])}:{match[2]}",
        reason=told.strip().splitlines()[0],
        detail=ADDRESS.sub("", detail[1].strip())[:DETAIL] if detail else "",
        is_skipped=is_skipped,
    )


def recompilations(metrics: object) -> tuple[tuple[Recompilation, ...], tuple[str, ...]]:
    """Return the functions that were compiled more than once, with the first guard that failed, and the places of
    those that reached the limit.
    """
    counts: Counter[tuple[str, str]] = Counter()
    places: dict[str, str] = {}
    given_up: dict[str, None] = {}
    for one in metrics if isinstance(metrics, list) else ():
        frame = str(one.compile_id).partition("/")[0]
        if one.co_filename:
            places[frame] = f"{short(one.co_filename)}:{one.co_firstlineno} {one.co_name}"
        if LIMIT in (one.fail_reason or ""):  # torch 2.15 names no place there, but the frame
            given_up[places.get(frame, "an unnamed function")] = None
        elif one.recompile_reason and frame in places:
            reason = str(one.recompile_reason).splitlines()[0].partition(": ")[2]
            counts[places[frame], reason] += 1
    return tuple(
        Recompilation(place=place, reason=reason, count=count)
        for (place, reason), count in counts.items()
    ), tuple(given_up)


def short(path: str) -> str:
    """Return the path relative to the folder from which Python imports it; its name if there is none."""
    roots = [root for root in sys.path if root and path.startswith(f"{root}{os.sep}")]
    return path[len(max(roots, key=len)) + 1 :] if roots else Path(path).name
