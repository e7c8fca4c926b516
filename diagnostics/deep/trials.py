"""Runs the trials, two at a time, each with a deadline, and leaves out what is known to fail."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from diagnostics.deep import scripts
from diagnostics.environment import Environment
from diagnostics.finding import Level
from diagnostics.records import Trial
from diagnostics.registry import CheckResult

NUM_AT_ONCE = 2
TOTAL_SECONDS = 55.0
"""After this no further trial is started."""
MARK = "@@"
LOG_CHARACTERS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One trial that can be made."""

    name: str
    script: str
    needs: tuple[str, ...]
    """Packages without which it is not made."""
    seconds: float = 30.0
    """Its deadline."""


ATTEMPTS: tuple[Attempt, ...] = (
    # The longest first, so that the two lanes end together.
    Attempt(name="compile", script=scripts.COMPILE, needs=("torch",), seconds=50.0),
    Attempt(name="export", script=scripts.EXPORT, needs=("torch", "onnx"), seconds=45.0),
    Attempt(name="transformers", script=scripts.TRANSFORMERS, needs=("transformers", "torch")),
    Attempt(name="extension", script=scripts.EXTENSION, needs=("torch",), seconds=60.0),
    Attempt(name="vision", script=scripts.NMS, needs=("torchvision", "torch")),
    Attempt(name="dataloader", script=scripts.DATALOADER, needs=("torch",)),
    Attempt(name="cuda", script=scripts.CUDA, needs=("torch",), seconds=40.0),
    Attempt(name="matmul", script=scripts.MATMUL, needs=("torch",), seconds=40.0),
    Attempt(name="autograd", script=scripts.AUTOGRAD, needs=("torch",)),
    Attempt(name="gloo", script=scripts.GLOO, needs=("torch",), seconds=45.0),
    Attempt(name="onnxruntime", script=scripts.ONNXRUNTIME, needs=("onnxruntime*", "numpy")),
    Attempt(name="netron", script=scripts.NETRON, needs=("netron",)),
)
NEEDS_GPU = ("cuda",)
IMPORTS: dict[str, tuple[str, str]] = {
    "torch": ("torch", "autograd"),
    "torchvision": ("torchvision", "vision"),
    "torchaudio": ("torchaudio", ""),
    "numpy": ("numpy", "onnxruntime"),
    "onnx": ("onnx", "export"),
    "onnxruntime": ("onnxruntime*", "onnxruntime"),
    "transformers": ("transformers", "transformers"),
}
"""Library -> (its package, the trial that shows its import when it passes)."""


def attempt(
    environment: Environment,
    results: list[CheckResult],
    attempts: tuple[Attempt, ...] = ATTEMPTS,
    *,
    imports: bool = True,
) -> tuple[Trial, ...]:
    """The outcome of every attempt; what the static checks already condemned is left out.

    An import gets a process of its own only where no trial has shown that it works.
    """
    condemned = [
        pattern
        for result in results
        for finding in result.findings
        if finding.level is Level.ERROR
        for pattern in finding.explains
    ]
    end = time.monotonic() + TOTAL_SECONDS
    with ThreadPoolExecutor(max_workers=NUM_AT_ONCE) as lanes:
        tried = lanes.map(lambda item: _attempt(item, environment, condemned, end), attempts)
        trials = {trial.name: trial for trial in tried}
        shown = {name for name, (_, by) in IMPORTS.items() if _passed(trials.get(by))}
        rest = [_import(name) for name in IMPORTS if imports and name not in shown]
        imported = list(lanes.map(lambda item: _attempt(item, environment, condemned, end), rest))
    known = [
        Trial(name=f"import:{name}", outcome="passed", detail=f"by {IMPORTS[name][1]}")
        for name in IMPORTS
        if name in shown
    ]
    return (*trials.values(), *known, *imported)


def _passed(trial: Trial | None) -> bool:
    return trial is not None and trial.outcome == "passed"


def _import(name: str) -> Attempt:
    script = scripts.IMPORT.format(name=name)
    return Attempt(name=f"import:{name}", script=script, needs=(IMPORTS[name][0],))


def _attempt(item: Attempt, environment: Environment, condemned: list[str], end: float) -> Trial:
    lacking = [name for name in item.needs if not _installed(environment, name)]
    if lacking:
        return Trial(name=item.name, outcome="unavailable", detail=f"{lacking[0]} not installed")
    code = f"deep-{item.name}"
    cause = next((p for p in condemned if fnmatchcase(code, p) and p.startswith("deep-")), "")
    if cause:
        return Trial(name=item.name, outcome="unavailable", detail="known to fail (see above)")
    if item.name in NEEDS_GPU and not (environment.gpus or _has_driver(environment)):
        return Trial(name=item.name, outcome="unavailable", detail="no GPU here")
    if time.monotonic() > end:
        return Trial(name=item.name, outcome="unavailable", detail="no time was left")
    return execute(item, environment.python.executable)


def _installed(environment: Environment, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in environment.packages)


def _has_driver(environment: Environment) -> bool:
    return bool(environment.driver and environment.driver.cuda_library)


def execute(item: Attempt, python: str) -> Trial:
    """The outcome of one script in a process group of its own."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder, tempfile.TemporaryFile() as log:
        path = os.path.join(folder, "trial.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(scripts.PRELUDE + item.script)
        try:
            child = subprocess.Popen(
                [python, path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"},
                start_new_session=True,
            )
        except OSError as error:
            return Trial(name=item.name, outcome="failed", detail=str(error))
        try:
            output, _ = child.communicate(timeout=item.seconds)
            late = False
        except subprocess.TimeoutExpired:
            late, output = True, b""
        finally:
            _end_group(child)
        log.seek(0)
        text = log.read().decode(errors="replace")[-LOG_CHARACTERS:]
    seconds = round(time.monotonic() - start, 2)
    if late:
        detail = f"no answer within {item.seconds:g} s"
        return Trial(name=item.name, outcome="timed_out", seconds=seconds, detail=detail, log=text)
    return _judge(item.name, child.returncode, output.decode(errors="replace"), text, seconds)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """Ends what the trial may have left behind: data loader workers, compilers."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _judge(name: str, code: int, output: str, log: str, seconds: float) -> Trial:
    said = [row[len(MARK) :] for row in output.splitlines() if row.startswith(MARK)]
    values: dict[str, str] = json.loads(said[-1]) if said else {}
    outcome, detail = "passed", ""
    if code < 0:
        outcome, detail = "crashed", f"ended by {signal.Signals(-code).name}"
    elif code or not said:
        outcome, detail = "failed", _last(log) or f"exit status {code}"
    elif "wrong" in values:
        outcome, detail = "wrong", values["wrong"]
    elif "unavailable" in values:
        outcome, detail = "unavailable", values["unavailable"]
    return Trial(name=name, outcome=outcome, seconds=seconds, detail=detail, log=log, values=values)


def _last(log: str) -> str:
    """The line of the exception; what follows it are notes of the library."""
    rows = [row.rstrip() for row in log.splitlines() if row.strip()]
    named = [
        row
        for row in rows
        if not row.startswith((" ", "\t"))
        and any(mark in row.split(":")[0] for mark in ("Error", "Exception", "Interrupt"))
    ]
    return (named or rows or [""])[-1][:500]
