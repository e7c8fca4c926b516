"""Runs whose processes are killed at a random moment, and what must be true afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from suite.outcome import Outcome
from suite.runs.load import load_run

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PATIENCE = 240.0
"""Seconds after which a run counts as hanging; one takes two seconds on an idle machine."""
GONE = 60.0
"""Seconds in which the processes of a killed run have to end: what writes a report finishes it first."""

ROLES = ("parent", "launcher", "worker", "outputs", "browser")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    command: str

    def role(self, others: Mapping[int, Process]) -> str:
        if "chrom" in self.command:
            return "browser"
        if "bench.run_outputs" in self.command:
            return "outputs"
        if "worker.launcher" in self.command:
            above = others.get(self.parent)
            is_fork = above is not None and "worker.launcher" in above.command
            return "worker" if is_fork else "launcher"
        return "parent" if self.parent == os.getpid() else "other"


@dataclass
class Place:
    """One folder of results, its temporary folder, and the processes that were started for it."""

    out: Path
    arguments: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)

    scratch: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="faults-")))
    """Temporary folder; with a short path, as real ones have: sockets lie in it."""

    def start(self, *more: str, without_out: bool = False) -> subprocess.Popen[str]:
        out = () if without_out else ("--out", str(self.out))
        return subprocess.Popen(
            [sys.executable, "-m", *self.arguments, *out, *more],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, (ROOT, HERE))),
                "TMPDIR": str(self.scratch),
                "VITALS_TEST": str(self.out),
                **self.variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=(self.out / "said").open("a"),
            stderr=subprocess.STDOUT,
            text=True,
        )

    def processes(self) -> dict[int, Process]:
        """Running processes of this place, by the mark in their environment."""
        found = {}
        mark = f"VITALS_TEST={self.out}\0".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes() + b"\0":
                    state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if state != "Z":
                        pid = int(entry.name)
                        found[pid] = Process(pid, int(parent), command)
        return found

    def remove(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def runs(self) -> list[Path]:
        return sorted(path for path in (self.out / "runs").glob("*") if path.is_dir())

    def lines(self) -> int:
        return sum(path.read_bytes().count(b"\n") for path in self.out.glob("runs/*/records.jsonl"))

    def temporaries(self) -> list[str]:
        """What nobody has asked for: drafts and unfinished files anywhere, and anything in the temporary folder."""
        kept = "torchinductor_"  # the cache of torch.compile is to outlive its process
        left = [path for path in self.scratch.iterdir() if not path.name.startswith(kept)]
        return sorted(map(str, (*self.out.rglob(".*"), *left)))


def end(started: subprocess.Popen[str], place: Place) -> int:
    """The exit code; a hang is an error, and leaves nothing running."""
    try:
        return started.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        for pid in place.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise AssertionError(f"hangs: {(place.out / 'said').read_text()[-2000:]}") from None


def kill_at(place: Place, role: str, draw: random.Random, num_steps: int) -> str:
    """Start a run and kill one process of that role at a random moment; returns what was killed, or `nothing`."""
    started = place.start()
    after = draw.randint(0, num_steps) if role in ("parent", "launcher", "worker") else num_steps
    delay = draw.uniform(0.0, 0.4)
    until = time.monotonic() + PATIENCE
    killed = "nothing"
    while started.poll() is None:
        assert time.monotonic() < until, "never came to the moment"
        if place.lines() < after and role != "browser":
            time.sleep(0.02)
            continue
        time.sleep(delay)
        delay = 0.01
        alive = place.processes()
        found = [p for p in alive.values() if p.role(alive) == role]
        if found:
            chosen = draw.choice(found)
            with contextlib.suppress(ProcessLookupError):
                os.kill(chosen.pid, signal.SIGKILL)
                killed = f"{role} after {place.lines()} records"
            break
    end(started, place)
    wait_until_gone(place)
    return killed


def wait_until_gone(place: Place) -> None:
    """Until no process of the place runs any more; an error when one does not end."""
    until = time.monotonic() + GONE
    while left := place.processes():
        assert time.monotonic() < until, f"still running: {left}"
        time.sleep(0.05)


def kept(place: Place) -> dict[str, str]:
    """Key -> when it began, of every passed step in the newest run; every store of the place must be readable."""
    if not place.runs():
        return {}
    folder = place.runs()[-1]
    for path in folder.glob("*.json"):
        json.loads(path.read_text())
    if (place.out / "history.db").exists():
        with contextlib.closing(sqlite3.connect(place.out / "history.db")) as history:
            assert history.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    run = load_run(folder)
    return {r.key: r.started_at for r in run.records if r.outcome is Outcome.PASSED}


def finish(place: Place) -> None:
    """`--resume`, or the run anew where the first one had not come to its folder."""
    is_there = place.runs() and (place.runs()[-1] / "run.json").is_file()
    started = place.start(*(["--resume"] if is_there else []))
    code = end(started, place)
    assert code == 0, (place.out / "said").read_text()[-3000:]


def check_finished(place: Place, before: Mapping[str, str], wanted: set[str]) -> None:
    """Nothing is lost or there twice, and nothing is left over."""
    after = kept(place)
    assert set(after) == wanted, f"missing {wanted - set(after)}, strange {set(after) - wanted}"
    assert {key: after[key] for key in before} == before, "a finished step was measured again"
    folder = place.runs()[-1]
    assert (folder / "report.html").read_text().rstrip().endswith("</html>")
    with contextlib.closing(sqlite3.connect(place.out / "history.db")) as history:
        (rows,) = history.execute(
            "SELECT count(*) FROM vitals_runs WHERE name = ?", (folder.name,)
        ).fetchone()
        assert rows == 1, f"{rows} entries in the history"
    assert not place.processes()
    assert place.temporaries() == []
