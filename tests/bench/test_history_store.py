"""Runs in a database: once, whole or not at all, beside many other writers; in a file and on a server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from history_stores import Server, entry, num_rows, run_of, run_python
from report_runs import MODELS, write_run
from sqlalchemy import Connection, inspect, text

from bench.history.compression import unpack
from bench.history.database import (
    DEADLINE,
    MIGRATIONS,
    NEWEST,
    VERSION_TABLE,
    VERSIONS,
    _tried,
    address_of,
    read,
    schema_version,
    upgrade_schema,
    write,
)
from bench.history.errors import HistoryError
from bench.history.query import query_trends
from bench.history.recording import record_entry, record_run
from bench.history.rows import run_entry
from bench.history.tables import METADATA

pytest_plugins = ["history_fixtures"]

WRITER = """
from history_stores import entry
from bench.history.recording import record_entry
store, *numbers = sys.argv[1:]
for number in numbers:
    record_entry(entry(int(number), models=("mlp", "cnn")), store)
"""
STOPPED_HALFWAY = """
import time
import bench.history.writing as writing
from history_stores import entry
from bench.history.recording import record_entry
whole = writing._insert_points
def half(connection, records, ids):
    whole(connection, records[:2], ids[:2])
    print("half", flush=True)
    time.sleep(60)
writing._insert_points = half
record_entry(entry(1, models=("mlp", "cnn")), sys.argv[1])
"""


def all_of(processes: list) -> None:
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err


def test_every_record_of_a_run_is_there_with_its_values_and_samples(
    store: str, tmp_path: Path
) -> None:
    records = write_run(tmp_path / "20261123-180411-abcd", models=MODELS[:4])
    done = record_run(tmp_path / "20261123-180411-abcd", store)
    assert (done.num_records, done.num_known) == (len(records), 0)
    assert num_rows(store)["records"] == len(records)
    wanted = next(r for r in records if r.step == "latency" and r.outcome.has_run)

    def packed(connection: Connection) -> list[bytes]:
        return list(
            connection.execute(
                text(
                    "SELECT packed FROM vitals_samples s JOIN vitals_series k ON k.id = s.series_id"
                    " WHERE k.cell = :cell AND k.metric = 'latency'"
                ),
                {"cell": wanted.cell.id},
            ).scalars()
        )

    (samples,) = read(store, packed)
    assert unpack(samples) == wanted.measurements[0].samples


def test_a_run_recorded_twice_is_one_run(store: str, tmp_path: Path) -> None:
    folder = tmp_path / "20261123-180411-abcd"
    write_run(folder, models=MODELS[:3])
    record_run(folder, store)
    before = num_rows(store)
    again = record_run(folder, store)
    assert (again.num_records, again.num_points) == (0, 0)
    assert "already" in again.sentence
    assert num_rows(store) == before


def test_a_copy_of_a_run_under_another_folder_name_is_the_same_run(
    store: str, tmp_path: Path
) -> None:
    folder, copy = tmp_path / "20261123-180411-abcd", tmp_path / "artifact"
    write_run(folder, models=MODELS[:2])
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    record_run(folder, store)
    assert record_run(copy, store).num_records == 0


def test_a_resumed_run_adds_what_is_new_and_replaces_what_was_taken_again(store: str) -> None:
    run = run_of(1, models=("mlp", "cnn"))
    first = replace(run_entry(replace(run, records=run.records[:4])), key="one", finished_at=None)
    record_entry(first, store)
    slower = run_of(1, models=("mlp", "cnn"), seconds=0.060)
    records = (*run.records[:1], slower.records[1], *run.records[2:])
    second = replace(run_entry(replace(run, records=records)), key="one")
    done = record_entry(second, store)
    assert (done.num_records, done.num_known) == (3, 3)
    assert num_rows(store)["runs"] == 1
    assert num_rows(store)["records"] == 6
    (mlp,) = query_trends(store, ["mlp"], ["latency"]).trends
    assert [round(point.value, 2) for point in mlp.points] == [0.06]


@pytest.mark.slow
def test_writers_of_many_jobs_at_once_lose_nothing(store: str) -> None:
    # The first ones make the tables together; run 7 is recorded by all of them.
    all_of([run_python(WRITER, store, str(n), "7", str(n + 20), str(n + 40)) for n in range(4)])
    rows = num_rows(store)
    assert rows["runs"] == 13
    assert rows["records"] == 13 * 6
    assert rows["measurements"] == 13 * 8
    assert rows["series"] == 8


@pytest.mark.slow
def test_writers_on_a_server_of_serializable_transactions_try_again(server: Server) -> None:
    store = server.new_database()
    name = store.rpartition("/")[2]
    server.tell(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    all_of([run_python(WRITER, store, *map(str, range(n, n + 9, 3))) for n in range(3)])
    assert num_rows(store)["runs"] == 9


@pytest.mark.parametrize("is_empty", [False, True])
def test_a_writer_killed_halfway_leaves_nothing_of_its_run(store: str, is_empty: bool) -> None:
    if not is_empty:
        record_entry(entry(0, models=("mlp",)), store)
    before = num_rows(store) if not is_empty else None
    process = run_python(STOPPED_HALFWAY, store)
    assert process.stdout.readline() == "half\n", process.stderr.read()
    process.kill()
    process.communicate()
    if before is None:
        with pytest.raises(HistoryError, match="none yet"):
            query_trends(store)
    else:
        assert num_rows(store) == before
    # And whoever comes next is not in its way.
    assert record_entry(entry(1, models=("mlp", "cnn")), store, deadline=20).num_records == 6


def test_work_that_fails_leaves_nothing(store: str) -> None:
    record_entry(entry(0), store)
    before = num_rows(store)

    def broken(connection: Connection) -> None:
        connection.execute(text("DELETE FROM vitals_samples"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(store, broken)
    assert num_rows(store) == before


def made_at(store: str, version: str) -> None:
    """Empty tables of that version."""
    _tried(
        address_of(store), lambda c: upgrade_schema(c, to=version), writes=True, deadline=DEADLINE
    )


def test_tables_of_version_1_with_a_run_in_them_become_those_of_version_2(store: str) -> None:
    made_at(store, "0001")
    old = (
        "INSERT INTO vitals_environments VALUES (1, 'a41c9be2d07f', '{}')",
        "INSERT INTO vitals_runs VALUES (1, 'k', 'old', 'torch-vitals', '2026-09-01 03:00:00',"
        " NULL, '2026-09-01 03:10:00', '{}')",
        "INSERT INTO vitals_records VALUES (1, 1, 1, 'mlp-base-eager-cpu-float32-b1', 'latency',"
        " 'passed', '', '2026-09-01 03:01:00', 1.5, 'd', '{}')",
        "INSERT INTO vitals_series VALUES (1, 'mlp-base-eager-cpu-float32-b1/latency/latency"
        " data=digits threads=2 weights=random', 'mlp-base-eager-cpu-float32-b1', 'mlp', 'base',"
        " 'eager', 'cpu', 'float32', 1, 'original', 'latency', 'latency', 's',"
        " 'data=digits threads=2 weights=random')",
        "INSERT INTO vitals_measurements VALUES (1, 1, '2026-09-01 03:01:00', 0.03, NULL, NULL,"
        " NULL, NULL, 29, 4e-05, 750.0)",
    )

    def insert(connection: Connection) -> None:
        assert schema_version(connection) == "0001"
        columns = {column["name"] for column in inspect(connection).get_columns("vitals_runs")}
        assert "commit_id" not in columns
        for statement in old:
            connection.execute(text(statement))
        if connection.dialect.name == "postgresql":  # rows with ids of our own leave them behind
            for name in ("environments", "runs", "records", "series"):
                connection.execute(text(f"ALTER SEQUENCE vitals_{name}_id_seq RESTART WITH 2"))

    _tried(address_of(store), insert, writes=True, deadline=DEADLINE)
    record_entry(entry(1), store)
    (mlp,) = query_trends(store, ["mlp"], ["latency"]).trends
    assert [point.run for point in mlp.points] == ["old", "20261002-030000-0001"]
    assert [point.commit for point in mlp.points] == ["", "c00000000001"]
    indices = read(store, lambda c: inspect(c).get_indexes("vitals_measurements"))
    assert ["series_id", "at"] in [index["column_names"] for index in indices]
    assert read(store, schema_version) == NEWEST


def test_a_look_at_tables_of_version_1_brings_them_to_the_newest_too(store: str) -> None:
    made_at(store, "0001")
    with pytest.raises(HistoryError, match="it is empty"):
        query_trends(store)
    assert read(store, schema_version) == NEWEST


def test_the_migrations_make_the_tables_that_the_code_knows(store: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    record_entry(entry(0), store)

    def differences(connection: Connection) -> list:
        options = {"compare_type": True, "version_table": VERSION_TABLE}
        return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)

    assert read(store, differences) == []


def test_every_version_has_one_migration_in_order() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    assert tuple(step.revision for step in reversed(steps)) == VERSIONS
    assert [step.down_revision for step in steps] == [*reversed(VERSIONS[:-1]), None]


def test_tables_of_a_newer_version_are_left_alone(store: str) -> None:
    record_entry(entry(0), store)
    newer = text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'")
    write(store, lambda connection: connection.execute(newer))
    before = num_rows(store)
    for attempt in (lambda: record_entry(entry(1), store), lambda: query_trends(store)):
        with pytest.raises(HistoryError, match=r"0099.*upgrade torch-vitals"):
            attempt()
    assert num_rows(store) == before


def test_the_tables_of_others_are_not_touched(store: str) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(address_of(store), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
    record_entry(entry(0), store)
    with engine.begin() as connection:
        assert (
            connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "theirs"
        )
    assert num_rows(store)["runs"] == 1


def test_text_and_numbers_that_databases_refuse_do_not_stop_a_run(store: str) -> None:
    run = run_of(1)
    info = {**run.info, "options": {"share": float("nan"), "name": "a\0b", "half": "\ud800"}}
    record_entry(run_entry(replace(run, info=info)), store)
    assert num_rows(store)["runs"] == 1


def test_samples_stay_few_bytes(store: str) -> None:
    record_entry(entry(1, num_samples=60), store)
    total = read(
        store, lambda c: c.execute(text("SELECT sum(length(packed)) FROM vitals_samples")).scalar()
    )
    written = len(json.dumps(run_of(1, num_samples=60).records[1].measurements[0].samples))
    assert total < written / 2.5
