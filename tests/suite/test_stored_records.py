"""Records of a long run: on disk, and there when they are asked for."""

import os

import pytest

from suite.cell import Cell
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.outcome import Outcome
from suite.record import Record
from suite.runs.store import RunFolder
from suite.runs.stored_records import MOST_RECENT, StoredRecords
from suite.worker.job_options import JobOptions


def record(batch, *, outcome=Outcome.PASSED):
    cell = Cell(model="mlp", size="tiny", batch=batch)
    return Record(run_id="r", cell=cell, step="latency", outcome=outcome)


def session_in(folder, records):
    request = RunConfig(
        specs={}, options=JobOptions(), deadline=9.0, cold_replicates=1, cache="", states=""
    )
    return Session(request=request, folder=folder, worker=None, records=records)


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path)


def test_every_record_is_there_and_few_are_held(folder):
    records = StoredRecords(folder)
    session = session_in(folder, records)
    kept = [session.keep(record(n)) for n in range(1, 4 * MOST_RECENT)]
    assert [*records] == [one.key for one in kept]
    assert list(records.values()) == kept
    assert len(records) == len(kept)
    assert len(records.recent) <= MOST_RECENT


def test_the_later_of_two_records_of_a_step_counts(folder):
    records = StoredRecords(folder)
    session = session_in(folder, records)
    for n in range(1, 3 * MOST_RECENT):
        session.keep(record(n, outcome=Outcome.CRASHED))
        session.keep(record(n))
    assert {one.outcome for one in records.values()} == {Outcome.PASSED}


def test_a_resumed_run_has_the_records_that_it_takes_as_done_and_no_others(folder):
    for n in (1, 2, 3):
        folder.append(record(n))
    records = StoredRecords.of(folder, [record(2).key])
    assert [*records] == [record(2).key]
    session_in(folder, records).keep(record(3))
    assert [*records.values()] == [record(2), record(3)]


def test_a_line_that_was_cut_off_is_passed_over(folder):
    folder.append(record(1))
    with folder.records_file.open("ab") as file:
        file.write(b'{"cell": {"mod')
    records = StoredRecords.of(folder, [record(1).key])
    session = session_in(folder, records)
    for n in range(2, 3 * MOST_RECENT):
        session.keep(record(n))
    assert [one.cell.batch for one in records.values()] == [*range(1, 3 * MOST_RECENT)]


def test_records_that_come_at_once_are_synced_together_and_the_end_syncs_all(folder, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    session = session_in(folder, {})
    session.sync_seconds = 3600.0
    session.synced_at = float("-inf")
    for n in range(1, 50):
        session.keep(record(n))
    assert len(synced) == 1
    folder.sync()
    assert len(synced) == 2
    session.sync_seconds = 0.0
    session.keep(record(50))
    assert len(synced) == 3
