"""A plugin of pytest (`-p scripted_cells`): cells answer in a moment, without torch; the rest of a run is the real one.

The parent, its launcher, a forked worker a cell, the store, the report and the history are the real ones; a run of ten
steps takes two seconds in place of thirty, so that it can be killed at hundreds of moments.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from suite.measurement import Measurement
from suite.results.step_output import StepOutput
from suite.results.step_result import StepResult

NAME = "scripted_cells"
MODELS = "mlp,cnn,rnn,lstm,gru"
STEPS = ("size", "latency")


def size(job, emit):
    """As the real step: three numbers; like many of the product's jobs it works in a folder that it removes."""
    with tempfile.TemporaryDirectory(prefix="vitals-") as folder:
        Path(folder, "scratch").write_bytes(bytes(4096))
        emit("phase", name="build")
        time.sleep(random.uniform(0.02, 0.1))
        names = ("parameters", "parameter_bytes", "macs")
        rows = tuple(Measurement(metric=name, unit="1", samples=(7.0,)) for name in names)
        return StepOutput(result=StepResult(), measurements=rows)


def latency(job, emit):
    """Twenty rounds of a millisecond that nobody has measured."""
    with tempfile.TemporaryDirectory(prefix="vitals-"):
        emit("phase", name="measure")
        time.sleep(random.uniform(0.02, 0.1))
        samples = tuple(1e-3 + number * 1e-7 for number in range(20))
        row = Measurement(metric="latency", unit="s", samples=samples, iterations_per_sample=1)
        return StepOutput(result=StepResult(), measurements=(row,))


def pytest_configure(config):
    """Put these answers in the place of the instruments, and import nothing else in the launcher."""
    if "bench.steps" not in sys.modules:  # the plugin of the benchmark has imported it
        return
    from bench.steps import STEPS as ROWS
    from suite.engine import run

    for name in STEPS:
        ROWS[name] = replace(ROWS[name], runner=f"{NAME}:{name}", together="")
    run.preload_for = lambda *given: (NAME,)
