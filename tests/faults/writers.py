"""Processes that write to a store until they are killed, or until a limit stops them; started by the tests."""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from suite.cell import Cell
from suite.measurement import Measurement
from suite.outcome import Outcome
from suite.record import Record
from suite.runs.store import RunFolder


def record(number: int, run_id: str = "run") -> Record:
    """A record with samples; its batch is its number, so that a lost or doubled one is seen."""
    samples = tuple(1e-3 + i * 1e-7 for i in range(40))
    return Record(
        run_id=run_id,
        cell=Cell(model="mlp", size="tiny", batch=number),
        step="latency",
        outcome=Outcome.PASSED,
        measurements=(Measurement(metric="latency", unit="s", samples=samples),),
    )


def append(folder: str, first: str, last: str) -> None:
    """Append records; tell each number when its record is there."""
    run = RunFolder(Path(folder))
    for number in range(int(first), int(last)):
        run.append(record(number))
        run.write_json("run.json", {"run_id": "run", "number": number})
        print(number, flush=True)


def fill(folder: str, num_bytes: str) -> None:
    """Append until no file may be longer than that, as on a full disk; then say what was raised."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(num_bytes), int(num_bytes)))
    run, number = RunFolder(Path(folder)), 1
    try:
        while True:
            run.append(record(number))
            number += 1
    except OSError as error:
        print(number - 1, error.errno, error.filename, flush=True)
    try:
        run.write_json("run.json", {"text": "x" * 2 * int(num_bytes)})
    except OSError as error:
        print("run.json", error.errno, flush=True)


def starve(folder: str) -> None:
    """Append with no file descriptor to spare; then again with one."""
    run = RunFolder(Path(folder))
    run.append(record(1))
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    try:
        while True:
            held.append(open("/dev/null", "rb"))  # noqa: SIM115
    except OSError:
        pass
    try:
        run.append(record(2))
    except OSError as error:
        print("refused", error.errno, flush=True)
    held.pop().close()
    run.append(record(3))
    print("done", flush=True)


if __name__ == "__main__":
    {"append": append, "fill": fill, "starve": starve}[sys.argv[1]](*sys.argv[2:])
