"""Places for a history in tests: a SQLite file, and a PostgreSQL server of the tests' own; and runs to put there."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from bench.history.database import address_of
from bench.history.entry import RunEntry
from bench.history.rows import run_entry
from diagnostics.environment import Environment
from diagnostics.records import Interpreter, Repository, System
from suite.cell import Cell
from suite.measurement import SentinelReadings
from suite.outcome import Outcome
from suite.record import Measurement, MeasurementFacts, Record
from suite.result_types import result_class
from suite.results.step_result import DataSet
from suite.runs.load import Run
from suite.runs.machine import Machine

HERE = str(Path(__file__).parent)
WHY_NOT = (
    "PostgreSQL is not installed here (Debian: apt-get install postgresql;"
    " pip install 'psycopg[binary]')"
)
BEGAN = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)
NUMBERS = count(1)


class Server:
    """A PostgreSQL server on a free port, run by a user who is not root."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.home = Path(tempfile.mkdtemp(prefix="vitals-pg-", dir=_fast_folder()))
        self.user = _plain_user()
        if self.user:
            shutil.chown(self.home, self.user)
        self.port = _free_port()
        self._run("initdb", "-D", "data", "-U", "vitals", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.home} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # a test may have stopped it
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, database: str, user: str = "vitals") -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        name = f"history{next(NUMBERS)}"
        self.tell(f"CREATE DATABASE {name}")
        return self.url(name)

    def tell(self, *statements: str, database: str = "postgres") -> list[Any]:
        """What the last statement gives."""
        import psycopg

        place = f"host=127.0.0.1 port={self.port} user=vitals dbname={database}"
        with psycopg.connect(place, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self.binaries / name, *arguments],
            cwd=self.home,
            user=self.user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server runs
            stderr=subprocess.DEVNULL,
            timeout=60,
        )


def _plain_user() -> str | None:
    """Whom the server runs as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _fast_folder() -> str | None:
    """Memory, where there is enough of it for some dozen databases of 8 MB; None = the usual place."""
    memory = "/dev/shm"
    is_roomy = os.path.isdir(memory) and shutil.disk_usage(memory).free > 2 * 1024**3
    return memory if is_roomy else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def installed() -> Path | None:
    """The newest installed server; Debian keeps them away from PATH."""
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3])
    )
    on_path = shutil.which("initdb")
    found = places[-1] if places else Path(on_path) if on_path else None
    return found.parent if found else None


def run_of(
    number: int,
    *,
    seconds: float = 0.030,
    sentinel: float | None = 40e-6,
    models: tuple[str, ...] = ("mlp",),
    fingerprint: str = "a41c9be2d07f",
    commit: str = "",
    num_samples: int = 29,
    noise: float = 0.01,
    parameters: float = 101_770.0,
    seed: int | None = None,
) -> Run:
    """A made-up run of these models, one a day: size, latency and memory of eager."""
    dice = random.Random(number if seed is None else seed)
    began = BEGAN + timedelta(days=number)
    level = seconds * (1 + dice.gauss(0, noise))
    name = f"{began:%Y%m%d-%H%M%S}-{number:04x}"
    records = []
    run = {"threads": 2, "weights": "random", "num_samples": 1}
    given = {"latency": run, "memory": run, "size": {"num_samples": 1}}
    for model in models:
        cell = Cell(model=model, size="base")
        samples = tuple(level * (1 + abs(dice.gauss(0, 0.01))) for _ in range(num_samples))
        readings = SentinelReadings(median=sentinel, mad=1e-7, num=9) if sentinel else None
        facts = MeasurementFacts(sentinel=readings)
        latency = Measurement(metric="latency", unit="s", samples=samples, facts=facts)
        memory = Measurement(metric="peak_rss_delta", unit="B", samples=(5e6 + dice.random(),))
        size = Measurement(metric="parameters", unit="1", samples=(parameters,))
        for step, measurement in (("size", size), ("latency", latency), ("memory", memory)):
            records.append(
                Record(
                    run_id=name,
                    cell=cell,
                    step=step,
                    outcome=Outcome.PASSED,
                    measurements=(measurement,),
                    result=result_class(step)(**given.get(step, {})),
                    data=DataSet(name="digits"),
                    environment_id=fingerprint,
                    started_at=(began + timedelta(minutes=1)).isoformat(timespec="seconds"),
                    seconds=1.5,
                )
            )
    return Run(
        folder=Path(name),
        records=tuple(records),
        machine=Machine(
            environment=Environment(
                python=Interpreter(executable="python", version="3.11.7"),
                system=System(cpu_model="AMD EPYC 9R14", num_cpus=2, num_cores=2),
                git=Repository(commit=commit or f"c{number:011x}"),
            ),
            fingerprint=fingerprint,
        ),
        info={
            "run_id": name,
            "command": "pytest bench",
            "started_at": began.isoformat(timespec="seconds"),
            "finished_at": (began + timedelta(minutes=9)).isoformat(timespec="seconds"),
            "options": {"threads": 2, "weights": "random"},
        },
    )


def entry(number: int, **options: Any) -> RunEntry:
    """The entry of `run_of`, under a key of its own."""
    run = run_of(number, **options)
    return replace(run_entry(run), key=run.folder.name)


def num_rows(store: str) -> dict[str, int]:
    """Rows of every table; all 0 where there are no tables yet."""
    names = ("runs", "records", "measurements", "samples", "series", "environments")

    def count_rows(connection: Connection) -> dict[str, int]:
        there = set(inspect(connection).get_table_names())
        return {
            name: connection.execute(text(f"SELECT count(*) FROM vitals_{name}")).scalar_one()
            if f"vitals_{name}" in there
            else 0
            for name in names
        }

    engine = create_engine(address_of(store), poolclass=NullPool)
    with engine.begin() as connection:
        return count_rows(connection)


def run_python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs the script with this folder on its path."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {HERE!r})\n{script}", *arguments],
        cwd=Path(HERE).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """As a user for whom the permissions of files count; root is above them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def small_disk(size: str, owner: str | None = None) -> Iterator[Path]:
    """An empty folder that holds no more than `size`; skips where no file system may be mounted."""
    place = Path(tempfile.mkdtemp(prefix="vitals-small-"))
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True
        )
    except FileNotFoundError:
        done = None
    if done is None or done.returncode:
        place.rmdir()
        pytest.skip("a full disk is a small tmpfs, and mounting one takes root")
    try:
        if owner:
            shutil.chown(place, owner)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        place.rmdir()
