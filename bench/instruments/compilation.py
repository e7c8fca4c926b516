"""Worker side. Compilation: seconds of torch.compile without a cache, in a warm process and from a kept cache, and
where the graph breaks or is compiled again.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.instruments.options import CompilationOptions
from bench.instruments.stopwatch import CLOCK, NS
from suite.backends.runnable import Runnable, runnable_for
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
GENERAL: Final = "Encountered graph break"
"""How a reason begins whose first paragraph says no more than that."""
PASSES: Final = 2
"""Passes after the first: code that is compiled again for the same input is found in them."""


def run(job: CellJob, emit: Emit) -> StepOutput[CompilationResult]:
    """Measure the first pass with the cache of CompilationOptions, as `compile_cold`, and once more in the same process
    after torch.compile has forgotten everything but its cache, as `compile_warm`; with `is_kept` the first is
    `compile_cached`. Seconds, the pass itself included.
    """
    import torch._dynamo as dynamo
    from torch._dynamo import utils

    asked = job.read(CompilationOptions)
    os.environ[CACHE] = asked.cache
    subject = runnable_for(job, emit)
    dynamo.reset()
    utils.clear_compilation_metrics()
    found: list[Measurement] = []
    with subject.inference(), heard_breaks() as breaks:
        emit("phase", name="first_forward")
        first = _timed(subject)
        for _ in range(PASSES):
            subject.call()
        again = recompilations(utils.get_compilation_metrics())
        graphs = int(utils.counters["stats"]["unique_graphs"])
        if asked.is_kept:
            found.append(Measurement(metric="compile_cached", unit="s", samples=(first,)))
        else:
            emit("phase", name="second_compilation")
            dynamo.reset()
            found += [
                Measurement(metric="compile_cold", unit="s", samples=(first,)),
                Measurement(metric="compile_warm", unit="s", samples=(_timed(subject),)),
            ]
    return StepOutput(
        measurements=tuple(found),
        result=widened(
            CompilationResult,
            subject.setup,
            num_graphs=graphs,
            breaks=tuple(
                GraphBreak(place=place, reason=reason) for place, reason in dict.fromkeys(breaks)
            ),
            recompilations=again,
        ),
        data=subject.data,
    )


def _timed(subject: Runnable) -> float:
    begin = CLOCK()
    subject.call()
    subject.synchronize()
    return (CLOCK() - begin) * NS


@contextmanager
def heard_breaks() -> Iterator[list[tuple[str, str]]]:
    """Within the block, collect (place, reason) of every graph break."""
    from torch._logging._internal import set_logs

    found: list[tuple[str, str]] = []

    class Ear(logging.Handler):
        """Hands every message to `break_of`."""

        def emit(self, record: logging.LogRecord) -> None:
            if (told := break_of(record.getMessage())) is not None:
                found.append(told)

    set_logs(graph_breaks=True)
    ear, logger = Ear(), logging.getLogger(LOGGER)
    logger.addHandler(ear)
    try:
        yield found
    finally:
        logger.removeHandler(ear)
        set_logs()


def break_of(message: str) -> tuple[str, str] | None:
    """Return (place, reason) of a break that torch has logged; None for any other message."""
    match = BREAK.search(message)
    if match is None:
        return None
    reason, _, rest = match[3].partition("\n\n")
    if rest and reason.startswith(GENERAL):
        reason = rest
    return f"{short(match[1])}:{match[2]}", reason.strip().splitlines()[0]


def recompilations(metrics: object) -> tuple[Recompilation, ...]:
    """Return the functions that were compiled more than once, with the first guard that failed."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in metrics if isinstance(metrics, list) else ():
        if reason := one.recompile_reason:
            place = f"{short(one.co_filename)}:{one.co_firstlineno} {one.co_name}"
            counts[place, str(reason).splitlines()[0].partition(": ")[2]] += 1
    return tuple(
        Recompilation(place=place, reason=reason, count=count)
        for (place, reason), count in counts.items()
    )


def short(path: str) -> str:
    """Return the path relative to the folder from which Python imports it; its name if there is none."""
    roots = [root for root in sys.path if root and path.startswith(f"{root}{os.sep}")]
    return path[len(max(roots, key=len)) + 1 :] if roots else Path(path).name
