"""Databases that are away, read-only, full, damaged, or something else: one sentence, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from history_stores import Server, entry, num_rows, small_disk, unprivileged
from report_runs import MODELS, write_run
from sqlalchemy import Connection, text

from bench.history import database
from bench.history.database import address_of, shown, write
from bench.history.errors import HistoryError
from bench.history.query import query_trends
from bench.history.recording import record_entry, record_run

pytest_plugins = ["history_fixtures"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder below which anybody may look."""
    folder = Path(tempfile.mkdtemp(prefix="vitals-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def refused(store: str, **options: float) -> str:
    with pytest.raises(HistoryError) as caught:
        record_entry(entry(1, models=("mlp", "cnn")), store, **options)
    message = str(caught.value)
    assert message.count("\n") == 0
    return message


def filled(store: str) -> str:
    """Record runs until it is refused; the words."""
    for number in range(1, 200):
        try:
            record_entry(entry(number, models=("mlp", "cnn"), num_samples=299), store)
        except HistoryError as error:
            return str(error)
    raise AssertionError(f"200 runs found space in {store}")


def test_a_run_that_cannot_be_recorded_is_said_to_be_safe_and_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "20261123-180411-abcd"
    write_run(folder, models=MODELS[:2])
    (tmp_path / "no-folder").write_text("a file")
    with pytest.raises(HistoryError) as caught:
        record_run(folder, str(tmp_path / "no-folder" / "history.db"))
    message = str(caught.value)
    assert "--store" in message
    assert f"{folder} keeps all of it" in message
    assert f"python -m bench history record {folder}" in message


def test_a_folder_without_records_has_nothing_to_record(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(HistoryError, match="nothing to record"):
        record_run(tmp_path, str(tmp_path / "history.db"))
    assert not (tmp_path / "history.db").exists()


def test_no_history_is_said_and_none_is_made_by_looking(tmp_path: Path) -> None:
    place = tmp_path / "history.db"
    with pytest.raises(HistoryError, match=r"none yet.*history record RUN"):
        query_trends(str(place))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_server_has_no_history_yet(server: Server) -> None:
    with pytest.raises(HistoryError, match="none yet"):
        query_trends(server.new_database())


@pytest.mark.parametrize(
    "store, words",
    [
        ("", "empty"),
        ("mysql://ci@db/vitals", "kind mysql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("http://[::1", "no address"),
        ("postgresql+psycopg://ci@db:port/vitals", "no address"),
    ],
)
def test_an_address_that_cannot_be_is_told_with_what_can(store: str, words: str) -> None:
    with pytest.raises(HistoryError) as caught:
        address_of(store)
    assert words in str(caught.value)
    assert "postgresql+psycopg://" in str(caught.value)


def test_every_way_to_write_a_server_means_psycopg_and_hides_the_password() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"):
        url = address_of(f"{scheme}://ci:secret@db/vitals")
        assert shown(url) == "postgresql+psycopg://ci:***@db/vitals"
    assert shown(address_of("a/history.db")) == "a/history.db"
    assert shown(address_of("sqlite:///a/history.db")) == "a/history.db"


def test_a_file_that_is_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "history.db"
    place.write_text("my notes\n" * 200)
    assert "no SQLite database" in refused(str(place))
    with pytest.raises(HistoryError, match="no SQLite database"):
        query_trends(str(place))
    assert place.read_text() == "my notes\n" * 200


def test_a_folder_in_place_of_the_file_cannot_be_opened(tmp_path: Path) -> None:
    assert "cannot be opened" in refused(str(tmp_path))


def test_a_damaged_file_is_told_with_how_to_save_it(tmp_path: Path) -> None:
    place = tmp_path / "history.db"
    for number in range(12):
        record_entry(entry(number, models=("mlp", "cnn", "rnn")), str(place))
    data = bytearray(place.read_bytes())
    data[4096 : len(data) // 2] = b"\x55" * (len(data) // 2 - 4096)
    place.write_bytes(data)
    message = refused(str(place))
    assert "damaged" in message
    assert ".recover" in message


def test_a_file_that_may_only_be_read_is_told_and_can_be_looked_at(open_folder: Path) -> None:
    place = open_folder / "history.db"
    record_entry(entry(0), str(place))
    query_trends(
        str(place)
    )  # imports what a look takes, for the other user may not read our libraries
    before = num_rows(str(place))
    place.chmod(0o444)
    with unprivileged():
        message = refused(str(place))
        (mlp,) = query_trends(str(place), ["mlp"], ["latency"]).trends
    assert "may only be read" in message or "cannot be opened" in message
    assert len(mlp.points) == 1
    assert num_rows(str(place)) == before


def test_a_folder_that_may_not_be_written_is_told(open_folder: Path) -> None:
    record_entry(entry(0), str(open_folder / "other.db"))
    with unprivileged():
        message = refused(str(open_folder / "below" / "history.db"))
    assert "folder cannot be made (Permission denied)" in message


def test_a_full_database_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = str(tmp_path / "history.db")
    record_entry(entry(0), store)
    before = num_rows(store)
    with monkeypatch.context() as patch:
        patch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "max_page_count=30"))
        message = filled(store)
    assert "no space left" in message
    assert "full" in message
    full = num_rows(store)
    assert full["records"] == 3 + 6 * (full["runs"] - before["runs"])
    assert record_entry(entry(900), store).num_records == 3


def test_a_full_disk_keeps_what_it_has() -> None:
    with small_disk("600k") as disk:
        store = str(disk / "history.db")
        assert "no space left" in filled(store)
        rows = num_rows(store)
        assert rows["runs"] > 1
        assert rows["records"] == 6 * rows["runs"]
        with contextlib.closing(sqlite3.connect(store)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_others_keep_busy_is_waited_for_until_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "history.db")
    record_entry(entry(0), store)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    other = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    assert "busy" in refused(store, deadline=0.4)
    threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
    assert record_entry(entry(1), store, deadline=20).num_records == 3


def test_a_server_that_is_away_is_told_at_once(server: Server) -> None:
    store = server.new_database()
    record_entry(entry(0), store)
    server.stop()
    try:
        message = refused(store)
        assert "cannot be reached" in message
        assert "refused" in message
    finally:
        server.start()
    assert record_entry(entry(1), store).num_records == 3
    assert num_rows(store)["runs"] == 2


def test_a_connection_that_breaks_in_the_middle_is_made_anew(server: Server) -> None:
    store = server.new_database()
    record_entry(entry(0), store)
    breaks = [1]

    def work(connection: Connection) -> int:
        connection.execute(text("DELETE FROM vitals_samples"))
        if breaks:
            breaks.pop()
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return connection.execute(text("SELECT count(*) FROM vitals_samples")).scalar_one()

    assert write(store, work) == 0
    assert breaks == []


def test_a_connection_that_always_breaks_is_told(server: Server) -> None:
    store = server.new_database()

    def work(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(HistoryError, match="broke in the middle"):
        write(store, work)


def test_a_database_that_the_server_does_not_have_is_told(server: Server) -> None:
    message = refused(server.url("nowhere"))
    assert "no database of that name" in message
    assert "createdb" in message


def test_a_user_who_may_only_read_can_look_and_not_record(server: Server) -> None:
    store = server.new_database()
    name = store.rpartition("/")[2]
    record_entry(entry(0), store)
    server.tell(f"DROP ROLE IF EXISTS {name}_reader", f"CREATE ROLE {name}_reader LOGIN")
    server.tell(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}_reader", database=name)
    reader = server.url(name, user=f"{name}_reader")
    message = refused(reader)
    assert "may only be read" in message
    assert "GRANT" in message.upper()
    assert len(query_trends(reader, ["mlp"], ["latency"]).trends) == 1
    assert num_rows(store)["runs"] == 1


def test_a_user_whom_the_server_does_not_know_is_told(server: Server) -> None:
    store = server.new_database()
    message = refused(store.replace("vitals@", "stranger:secret@"))
    assert "does not let this user in" in message
    assert "secret" not in message


def test_a_server_without_space_keeps_what_it_has(server: Server) -> None:
    import psycopg

    with small_disk("12m", owner=server.user) as disk:
        name = "cramped"
        server.tell(
            f"CREATE TABLESPACE small LOCATION '{disk}'",
            f"CREATE DATABASE {name} TABLESPACE small",
        )
        try:
            store = server.url(name)
            record_entry(entry(0), store)
            server.tell(
                "CREATE TABLE filler (data TEXT)",
                "ALTER TABLE filler ALTER data SET STORAGE EXTERNAL",
                database=name,
            )
            fill = "INSERT INTO filler SELECT repeat('x', 8000) FROM generate_series(1, {})"
            for rows in (200, 50, 10, 2, 1) * 3:
                with contextlib.suppress(psycopg.errors.DiskFull):
                    while True:
                        server.tell(fill.format(rows), database=name)
            assert "no space left" in filled(store)
            rows = num_rows(store)
            assert rows["records"] == 3 + 6 * (rows["runs"] - 1)
            server.tell("DROP TABLE filler", database=name)
            assert record_entry(entry(900), store).num_records == 3
        finally:
            server.tell(f"DROP DATABASE {name}", "DROP TABLESPACE small")


def test_without_psycopg_a_server_is_answered_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    message = refused("postgresql+psycopg://ci@127.0.0.1/vitals")
    assert "pip install 'torch-vitals[postgres]'" in message


def test_a_defect_of_ours_is_no_trouble_of_the_database(tmp_path: Path) -> None:
    from sqlalchemy.exc import OperationalError

    with pytest.raises(OperationalError, match="no such column"):
        write(
            str(tmp_path / "history.db"),
            lambda c: c.execute(text("SELECT no_such FROM vitals_runs")),
        )


def test_a_path_with_signs_that_mean_something_in_addresses_is_a_path(tmp_path: Path) -> None:
    place = tmp_path / "a b?c#d%20e" / "history.db"
    record_entry(entry(0), str(place))
    assert place.is_file()
    assert len(query_trends(str(place)).trends) == 4
    assert os.listdir(tmp_path) == ["a b?c#d%20e"]
