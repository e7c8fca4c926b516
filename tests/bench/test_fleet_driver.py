"""What the driver of a fleet does with units: every step has one record, whatever happens to nodes."""

import json
import random
from dataclasses import replace

import pytest
from fleet_twin import MAKER, TimedTwin, TwinCluster, kind_of_nodes, open_twin_run, planned_of

from bench.fleet.driver import Fleet, KindRun
from bench.fleet.ledger import MAX_ATTEMPTS, Ledger
from bench.fleet.node import Place
from bench.fleet.task import Message
from bench.fleet.units import units_of
from suite.outcome import Outcome
from suite.runs.load import load_run
from suite.runs.stored_records import MOST_RECENT, StoredRecords


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Nodes keep what they need in the test's folder."""
    monkeypatch.setattr(
        Place, "of", classmethod(lambda cls, name: cls(folder=tmp_path / "nodes" / name))
    )


def fleet_of(tmp_path, ids, *, steps=("latency", "memory"), run=None, name="box", **script):
    run = run or open_twin_run(tmp_path)
    kind = KindRun.of(kind_of_nodes(name, ids), run, planned_of(run, *steps))
    cluster = TwinCluster(ids=ids, **script)
    return Fleet(cluster=cluster, kinds=[kind], worker=MAKER), kind, cluster


def stored(kind):
    """Keys of all lines of records.jsonl, with repetitions."""
    lines = kind.run.folder.records_file.read_text().splitlines()
    return [f"{json.loads(x)['step']} {json.loads(x)['cell']['model']}" for x in lines]


def keys(kind):
    return sorted(
        f"{step} {cell.model}" for unit in kind.units.values() for cell, step in unit.steps
    )


def test_every_planned_step_has_one_record_and_the_waiters_are_let_go(tmp_path):
    fleet, kind, _ = fleet_of(tmp_path, ["a", "b"])
    fleet.serve()
    assert sorted(stored(kind)) == keys(kind)
    assert kind.run.session.pending == set()
    assert fleet.error == ""
    assert {r.outcome for r in kind.run.session.records.values()} == {Outcome.PASSED}


def test_records_have_the_fingerprint_of_the_kind_and_the_id_of_the_run(tmp_path):
    fleet, kind, _ = fleet_of(tmp_path, ["a"])
    fleet.serve()
    for record in load_run(kind.run.folder.path).records:
        assert record.run_id == kind.run.folder.run_id
        assert record.environment_id == kind.run.environment.fingerprint()


def test_a_node_that_dies_in_the_middle_loses_nothing_that_it_has_sent(tmp_path):
    # Its fourth message would be the second step's record: the first record is kept, the other step is done elsewhere.
    fleet, kind, cluster = fleet_of(
        tmp_path, ["a", "b"], dies=lambda node, task, number: node == "a" and number == 4
    )
    fleet.serve()
    assert sorted(stored(kind)) == keys(kind)
    first, again = (task for _, task in cluster.tasks if task.unit == cluster.tasks[0][1].unit)
    assert (first.attempt, again.attempt) == (1, 2)
    assert [record["step"] for record in again.known] == ["latency"]


def test_a_unit_that_three_nodes_have_lost_is_crashed_with_the_reasons(tmp_path):
    fleet, kind, cluster = fleet_of(tmp_path, list("abcd"), dies=lambda *_: True)
    fleet.serve()
    assert sorted(stored(kind)) == keys(kind)
    records = kind.run.session.records.values()
    assert {record.outcome for record in records} == {Outcome.CRASHED}
    tries = [task.attempt for _, task in cluster.tasks if task.unit == cluster.tasks[0][1].unit]
    assert max(tries) <= MAX_ATTEMPTS
    assert all(
        "NodeDiedError" in r.failure.message or "no node" in r.failure.message for r in records
    )
    assert all("--resume" in r.failure.message for r in records)


def test_a_lost_unit_is_tried_on_a_node_that_has_not_lost_it(tmp_path):
    fleet, _, cluster = fleet_of(
        tmp_path, list("abc"), dies=lambda node, task, number: node in "ab" and number == 2
    )
    fleet.serve()
    unit = cluster.tasks[0][1].unit
    nodes = [node for node, task in cluster.tasks if task.unit == unit]
    assert len(nodes) == len(set(nodes))


def test_an_answer_of_an_attempt_that_was_given_up_is_not_recorded(tmp_path):
    fleet, kind, cluster = fleet_of(
        tmp_path, ["a", "b"], dies=lambda n, t, number: n == "a" and number == 2
    )
    fleet.serve()
    before = stored(kind)
    late = next(task for node, task in cluster.tasks if node == "a")
    record = next(iter(kind.run.session.records.values())).as_dict()
    fleet._take(
        Message(run_id=late.run_id, unit=late.unit, attempt=late.attempt, node="a", record=record)
    )
    assert stored(kind) == before
    assert kind.ledger.num_refused >= 1


def test_a_record_that_comes_twice_is_recorded_once(tmp_path):
    run = open_twin_run(tmp_path)
    unit = units_of(planned_of(run, "latency"))[0]
    ledger = Ledger.of((unit,), set())
    attempt = ledger.open(unit.name)
    assert ledger.accept(unit.name, attempt, unit.keys[0])
    assert not ledger.accept(unit.name, attempt, unit.keys[0])
    assert not ledger.accept(unit.name, attempt + 1, "another")


def test_a_node_that_tells_nothing_is_given_up_and_its_unit_done_elsewhere(tmp_path, monkeypatch):
    fleet, kind, cluster = fleet_of(tmp_path, ["a", "b"])
    real, hung = cluster._run, []

    def run(handle, task, nodes):
        if not hung:
            hung.append(handle)
            cluster.inbox.append(Message(run_id=handle[0], unit=handle[1], attempt=1, node="a"))
        else:
            real(handle, task, nodes)

    now = iter(range(0, 10**6, 100))
    monkeypatch.setattr(cluster, "_run", run)
    fleet.clock = lambda: float(next(now))
    fleet.serve()
    assert hung[0] in cluster.cancelled
    assert sorted(stored(kind)) == keys(kind)


def test_no_step_is_lost_or_doubled_when_nodes_die_at_random(tmp_path):
    for seed in range(20):
        draw = random.Random(seed)
        fleet, kind, _ = fleet_of(
            tmp_path / str(seed), list("abcdef"), dies=lambda *_, d=draw: d.random() < 0.1
        )
        fleet.serve()
        assert sorted(stored(kind)) == keys(kind), seed


def test_a_driver_that_died_is_finished_by_resume_without_repeating_what_passed(tmp_path):
    first, kind, _ = fleet_of(tmp_path, ["a"])
    seen = []

    def dies_after_two(record):
        seen.append(record)
        if len(seen) == 2:
            raise SystemExit

    kind.run.session.on_end = dies_after_two
    with pytest.raises(SystemExit):
        first.serve()
    assert len(stored(kind)) == 2
    again = open_twin_run(tmp_path, resume=kind.run.folder.run_id)
    fleet, kind, _ = fleet_of(tmp_path, ["a"], run=again)
    fleet.serve()
    assert sorted(stored(kind)) == keys(kind)


def test_what_stops_the_whole_cluster_is_told_and_nothing_waits(tmp_path):
    fleet, kind, cluster = fleet_of(tmp_path, ["a"])

    def gone(seconds):
        raise ConnectionError("the head is gone")

    cluster.messages = gone
    fleet.serve()
    assert "the head is gone" in fleet.error
    assert kind.run.session.pending == set()


def test_a_stopped_fleet_gives_up_what_goes_on(tmp_path):
    fleet, kind, cluster = fleet_of(tmp_path, ["a"])
    cluster.messages = lambda seconds: fleet.stop() or []
    fleet.serve()
    assert [*kind.attempts] == cluster.cancelled
    assert cluster.cancelled


def test_ray_knows_of_no_more_attempts_than_nodes_can_take_soon(tmp_path):
    run = open_twin_run(tmp_path, models="*")
    fleet, kind, cluster = fleet_of(tmp_path, ["a", "b"], run=run, steps=("latency",))
    most, submit = [], cluster.submit

    def counted(*arguments):
        submit(*arguments)
        most.append(len(kind.attempts))

    cluster.submit = counted
    fleet.serve()
    assert len(kind.units) > 20
    assert max(most) == 2


def test_an_input_file_travels_once_to_each_node_and_paths_in_options_become_the_nodes_own(
    tmp_path,
):
    models = tmp_path / "mine" / "my_models.py"
    models.parent.mkdir()
    models.write_text("MODELS = ()\n")
    fleet, kind, cluster = fleet_of(tmp_path, ["a"])
    kind.options = {**kind.options, "models_from": str(models)}
    fleet.inputs = [models]
    fleet.serve()
    assert len(cluster.tasks) > 1
    assert len(cluster.fetched) == 1
    moved = tmp_path / "nodes" / "a" / "inputs" / models.relative_to("/")
    assert moved.read_text() == "MODELS = ()\n"


def test_a_file_that_would_leave_the_run_folder_is_not_written(tmp_path):
    from bench.fleet.task import FilePart

    fleet, kind, _ = fleet_of(tmp_path, ["a"])
    fleet._look()
    fleet._hand_out(kind)
    (_, unit, attempt), _ = next(iter(kind.attempts.items()))
    part = FilePart(path="../../outside", number=0, data=b"x", sha256="0")
    message = Message(
        run_id=kind.run.folder.run_id, unit=unit, attempt=attempt, node="a", part=part
    )
    with pytest.raises(ValueError, match="leads out of the run folder"):
        fleet._take(message)
    assert not (kind.run.folder.path / "../../outside").exists()


def test_eight_nodes_measure_eight_times_as_fast_as_one(tmp_path):
    taken = {}
    for ids in ("abcdefgh", "a"):
        run = open_twin_run(tmp_path, models="mlp")
        first = run.selection.cells[0]
        cells = [(replace(first, batch=n), "latency") for n in range(1, 41)]
        kind = KindRun.of(kind_of_nodes("box", list(ids)), run, cells)
        twin = TimedTwin(ids=list(ids))
        Fleet(cluster=twin, kinds=[kind], worker=MAKER, clock=lambda t=twin: t.now).serve()
        assert len(stored(kind)) == 40
        taken[len(ids)] = twin.now
    assert taken == {8: 5.0, 1: 40.0}


def test_a_driver_holds_few_of_the_records_that_it_has_stored(tmp_path):
    run = open_twin_run(tmp_path, models="mlp")
    run.session.records = StoredRecords(run.folder)
    first = run.selection.cells[0]
    cells = [(replace(first, batch=n), "latency") for n in range(1, 4 * MOST_RECENT)]
    kind = KindRun.of(kind_of_nodes("box", ["a", "b"]), run, cells)
    Fleet(cluster=TwinCluster(ids=["a", "b"]), kinds=[kind], worker=MAKER).serve()
    assert len(run.session.records) == len(cells)
    assert len(run.session.records.recent) <= MOST_RECENT
    assert kind.known == {}
