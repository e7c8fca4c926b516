"""Worker side. Cold start: imports, build, session and first forward pass, each once per process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.instruments.phases import Phases
from suite.axes import BACKENDS
from suite.backends.runnable import runnable_for
from suite.measurement import Measurement, MeasurementFacts
from suite.results.measuring import ColdStartResult
from suite.results.step_output import StepOutput, widened
from suite.results.step_result import StepResult
from suite.worker.protocol import CellJob, Emit

PROGRAM: Final = """
import json, os, sys, time
out = os.dup(1)
os.dup2(2, 1)
started = time.perf_counter()
for name in sys.argv[1:]:
    __import__(name)
os.write(out, json.dumps(time.perf_counter() - started).encode())
"""
"""Prints only the seconds: what libraries print on import goes to stderr."""

LONGEST: Final = 300.0
"""Deadline of an import in seconds."""


def run(job: CellJob, emit: Emit) -> StepOutput[ColdStartResult]:
    """Measurements `build`, `session` (where the backend has one) and `first_forward`, in seconds,
    one sample each.

    One observation per fresh worker; the job's phases have the same times.
    """
    phases = Phases(emit)
    subject = runnable_for(job, phases)
    with subject.inference():
        phases("phase", name="first_forward")
        subject.call()
        subject.synchronize()
        phases.close()
    return StepOutput(
        measurements=phases.measurements(),
        result=widened(ColdStartResult, subject.setup),
        data=subject.data,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What `import_seconds` takes."""

    modules: tuple[str, ...] = ()
    """Libraries to import; empty = those of the cell's backend."""
    replicates: int = 1
    """Fresh interpreters."""


def import_seconds(job: CellJob, emit: Emit) -> StepOutput[StepResult]:
    """Measurement `import`: seconds to import the libraries in a fresh interpreter, one sample per
    interpreter.

    The worker itself has them imported by its launcher. Options: ImportOptions. Raises RuntimeError with the
    interpreter's last line if an import fails.
    """
    asked = job.read(ImportOptions)
    modules = asked.modules or BACKENDS[job.cell.backend].imports
    emit("phase", name="import")
    samples = [time_import(modules) for _ in range(max(1, asked.replicates))]
    measured = Measurement(
        metric="import",
        unit="s",
        samples=tuple(samples),
        facts=MeasurementFacts(modules=modules),
    )
    return StepOutput(result=StepResult(), measurements=(measured,))


def time_import(modules: Sequence[str]) -> float:
    """Return the seconds that a fresh interpreter takes to import the modules in this order, without its own
    start.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    if done.returncode or not done.stdout:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise RuntimeError(
            f"a fresh interpreter could not import {', '.join(modules)}: {last[0]};"
            f" expected `{sys.executable} -c 'import {', '.join(modules)}'` to work"
        )
    return float(json.loads(done.stdout))
