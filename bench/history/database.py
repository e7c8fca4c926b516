"""Access to a database: its address, connections for concurrent writers, transactions with retries."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from bench.history.database_errors import (
    DATABASE_ERRORS,
    LOST,
    DatabaseFailure,
    classify_error,
    error_text,
)
from bench.history.errors import HistoryError
from bench.history.tables import METADATA
from bench.output.json_text import finite

BUSY_SECONDS: Final = 30.0
"""Seconds that one attempt waits for another writer."""
DEADLINE: Final = 60.0
"""Seconds for all attempts together."""
CONNECT_SECONDS: Final = 10
MAX_LOST_CONNECTIONS: Final = 3
"""Lost connections before the server is considered unavailable."""
PRAGMAS: Final = ("foreign_keys=ON", "synchronous=FULL", "journal_mode=WAL")
"""Set on a new writing connection: readers and one writer at a time, commits synced to disk."""
EXPECTED: Final = (
    "expected a file, sqlite:///FILE, or postgresql+psycopg://USER@HOST/DATABASE after --store"
)


T = TypeVar("T")


def address_of(store: str) -> URL:
    """Parse `--store`; a text without `://` is a SQLite file.

    Raises HistoryError if it is not a valid address.
    """
    if "://" not in store:
        if not store.strip():
            raise HistoryError(f"--store is empty; {EXPECTED}")
        return URL.create("sqlite", database=str(Path(store).expanduser()))
    try:
        url = make_url(store)
    except (ArgumentError, ValueError) as error:
        raise HistoryError(f"--store is no address that can be read; {EXPECTED}") from error
    name = url.get_backend_name()
    if name in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        raise HistoryError(f"--store names a database of kind {name}; {EXPECTED}")
    if not url.database or url.database == ":memory:":
        raise HistoryError(f"--store {store} names no file; {EXPECTED}")
    return url


def shown(url: URL) -> str:
    """Return the address for display: the file, or the server without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


def write(store: str, work: Callable[[Connection], T], *, deadline: float = DEADLINE) -> T:
    """Run `work` in one transaction on tables of the newest version, and return its result.

    It is retried in a new transaction after a conflict with another writer. Raises HistoryError if the
    deadline passes or the database cannot be written; then nothing was written.
    """
    url = address_of(store)
    if url.get_backend_name() == "sqlite":
        _make_folder(Path(str(url.database)))

    def attempt(connection: Connection) -> T:
        upgrade_schema(connection)
        return work(connection)

    return _tried(url, attempt, writes=True, deadline=deadline)


def read(store: str, work: Callable[[Connection], T], *, deadline: float = DEADLINE) -> T:
    """Run `work` in one read-only transaction, and return its result.

    Tables of an older version are upgraded first. Raises HistoryError if there is no
    history or it cannot be read.
    """
    url = address_of(store)
    missing = HistoryError(
        f"history {shown(url)}: there is none yet. `pytest bench` begins one; an earlier run is"
        " recorded with `python -m bench history record RUN`"
    )
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise missing
    found = _tried(url, schema_version, writes=False, deadline=deadline)
    if found is None:
        raise missing
    if found != NEWEST:
        _tried(url, upgrade_schema, writes=True, deadline=deadline)
    return _tried(url, work, writes=False, deadline=deadline)


def _tried(url: URL, work: Callable[[Connection], T], *, writes: bool, deadline: float) -> T:
    engine = _engine(url, writes=writes)
    ends = time.monotonic() + deadline
    pause, num_losses = 0.02, 0
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except HistoryError as error:
            raise HistoryError(f"history {shown(url)}: {error}") from error
        except DATABASE_ERRORS as error:
            fault = classify_error(error)
            if fault is None:
                raise
            num_losses += fault is LOST
            if (
                not fault.is_transient
                or num_losses > MAX_LOST_CONNECTIONS
                or time.monotonic() > ends
            ):
                raise HistoryError(_sentence(url, fault, error)) from error
        time.sleep(pause * random.uniform(0.5, 1.5))  # so that writers do not meet again in step
        pause = min(2 * pause, 1.0)


def _sentence(url: URL, fault: DatabaseFailure, error: Exception) -> str:
    return f"history {shown(url)}: {fault.what} ({error_text(error)}); {fault.next_step}"


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(
            f"history {path}: its folder cannot be made ({error.strerror}); name another file with --store"
        ) from error


def _engine(url: URL, *, writes: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, writes=writes)
    arguments: dict[str, Any] = {}
    if "connect_timeout" not in url.query:
        arguments["connect_timeout"] = CONNECT_SECONDS
    if "application_name" not in url.query:
        arguments["application_name"] = "torch-vitals"
    try:
        engine = create_engine(
            url, poolclass=NullPool, connect_args=arguments, json_serializer=_json
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise HistoryError(
            f"history {shown(url)}: PostgreSQL is reached through psycopg, which is not installed"
            " here; run: pip install 'torch-vitals[postgres]'"
        ) from error

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        seconds = int(1000 * BUSY_SECONDS)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {seconds}")
        if not writes:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    return engine


def _sqlite(url: URL, *, writes: bool) -> Engine:
    path = Path(str(url.database)).absolute()
    if not writes:
        query = {
            "mode": "rw",
            "uri": "true",
        }  # the last connection to close removes the write-ahead log
        if not (_is_writable(path) and _is_writable(path.parent)):
            query["mode"] = "ro"
            if not _has_log(path):
                query["immutable"] = "1"  # a reader would create a write-ahead log
        url = URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)
    engine = create_engine(
        url,
        poolclass=NullPool,
        connect_args={"timeout": BUSY_SECONDS},
        json_serializer=_json,
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # sqlite3 begins no transaction of its own accord
        for pragma in PRAGMAS if writes else ("query_only=ON",):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that begins as a reader can be refused at its first write without any waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _has_log(path: Path) -> bool:
    """True while a writer has the file open, or after one was killed: its commits are in the log."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _json(data: Any) -> str:
    """Encode as standard JSON: PostgreSQL rejects NaN."""
    return json.dumps(finite(data))


# Schema version of a history's tables, and their upgrade.

VERSION_TABLE: Final = "vitals_version"
"""Not `alembic_version`: the database may hold tables of other programs."""
VERSIONS: Final = ("0001", "0002")
"""All versions, oldest first; one file each in `migrations/versions`."""
NEWEST: Final = VERSIONS[-1]
MIGRATIONS: Final = Path(__file__).with_name("migrations")
LOCK: Final = 0x76697461
"""Key of the advisory lock under which one writer creates the tables while others wait."""


def schema_version(connection: Connection) -> str | None:
    """Return the version of the tables, or None if there are none.

    Raises HistoryError if they were written by a newer torch-vitals.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if found is None or found in VERSIONS:
        return found
    raise HistoryError(
        f"its tables are of version {found}, and this torch-vitals knows up to {NEWEST}:"
        " a newer one wrote it, and nothing was changed; upgrade torch-vitals, or name another"
        " database with --store"
    )


def upgrade_schema(connection: Connection, *, to: str = "head") -> None:
    """Create or upgrade the tables in the connection's transaction.

    Raises HistoryError for tables of a newer version.
    """
    wanted = NEWEST if to == "head" else to
    if schema_version(connection) == wanted:
        return
    if connection.dialect.name == "postgresql":  # SQLite's writer has the file to itself already
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        if schema_version(connection) == wanted:
            return
    from alembic import command  # imported once per database
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {
        "connection": connection,
        "version_table": VERSION_TABLE,
        "metadata": METADATA,
    }
    command.upgrade(config, to)
