"""A real Ray cluster of several nodes on this machine: real processes, real kills, cells that answer at once."""

import json
import os
import shutil
import signal
import threading
import time

import fleet_twin
import pytest

from bench.fleet.cluster import connect
from bench.fleet.driver import Fleet, KindRun
from bench.fleet.kinds import kinds_of
from bench.fleet.node import Place
from bench.fleet.peaks import NodeWorker
from suite.outcome import Outcome
from suite.worker.protocol import Job

pytestmark = [pytest.mark.heavy, pytest.mark.slow]

MODELS = "mlp,cnn,lstm,gru,bert,gpt2,resnet18,unet,t5,yolo"
SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def rays():
    """A head without processors, two nodes of one kind and one of another."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = {**SMALL, "num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    labels = ("amx", "amx", "arm")
    nodes = [cluster.add_node(**SMALL, labels={"kind": one}, wait=False) for one in labels]
    cluster.wait_for_nodes()
    yield cluster, nodes
    cluster.shutdown()


@pytest.fixture(scope="module")
def connected(rays):
    variables = {"PYTHONPATH": os.path.dirname(fleet_twin.__file__)}
    # These nodes share a host, and so the folder into which each unpacks the source tree: some import what is still
    # being unpacked. A second connection finds it whole. Nodes of a real fleet have a host each.
    first = connect(rays[0].address, variables=variables)
    first.prepare(first.nodes())
    first.close()
    cluster = connect(rays[0].address, variables=variables)
    facts = cluster.prepare(cluster.nodes())
    yield cluster, facts
    cluster.close()
    for one in facts:
        shutil.rmtree(Place.of(one.node).folder, ignore_errors=True)


def keys_of(run):
    lines = run.folder.records_file.read_text().splitlines()
    return sorted(json.loads(x)["cell"]["model"] + json.loads(x)["step"] for x in lines)


def owed(run, *steps):
    return sorted(cell.model + step for cell in run.selection.cells for step in steps)


def test_every_kind_measures_every_cell_once(connected, tmp_path):
    cluster, facts = connected
    kinds, left_out = kinds_of(facts)
    assert [(kind.name, len(kind.nodes)) for kind in kinds] == [("amx", 2), ("arm", 1)]
    assert left_out == ()
    runs = {kind.name: fleet_twin.open_twin_run(tmp_path) for kind in kinds}
    steps = ("latency", "memory")
    parts = [
        KindRun.of(kind, runs[kind.name], fleet_twin.planned_of(runs[kind.name], *steps))
        for kind in kinds
    ]
    Fleet(cluster=cluster, kinds=parts, worker=fleet_twin.MAKER).serve()
    for run in runs.values():
        assert keys_of(run) == owed(run, *steps)


def test_a_job_without_a_cell_runs_on_a_node_of_the_kind(connected, tmp_path):
    cluster, facts = connected
    arm = next(kind for kind in kinds_of(facts)[0] if kind.name == "arm")
    run = fleet_twin.open_twin_run(tmp_path)
    worker = NodeWorker(
        cluster=cluster, kind=arm, preload=(), maker=fleet_twin.MAKER, folder=run.folder
    )
    answer = worker.run(Job(runner="any:thing"))
    assert answer.outcome is Outcome.PASSED
    assert answer.result["measurements"]


def test_a_node_killed_in_the_middle_costs_no_record_and_the_last_one_of_a_kind_is_told(
    rays, connected, tmp_path
):
    cluster, facts = connected
    kinds, _ = kinds_of(facts)
    runs = {kind.name: fleet_twin.open_twin_run(tmp_path, models=MODELS) for kind in kinds}
    parts = [
        KindRun.of(kind, runs[kind.name], fleet_twin.planned_of(runs[kind.name], "latency"))
        for kind in kinds
    ]
    fleet = Fleet(cluster=cluster, kinds=parts, worker=fleet_twin.SLOW)
    thread = threading.Thread(target=fleet.serve)
    thread.start()
    first_amx, _, only_arm = rays[1]
    for run, node in ((runs["amx"], first_amx), (runs["arm"], only_arm)):
        while len(run.session.records) < 3 and thread.is_alive():
            time.sleep(0.05)
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
    thread.join(400)
    assert not thread.is_alive()
    assert fleet.error == ""
    for run in runs.values():
        assert keys_of(run) == owed(run, "latency")
    outcomes = {
        name: [r.outcome for r in run.session.records.values()] for name, run in runs.items()
    }
    assert set(outcomes["amx"]) == {Outcome.PASSED}
    assert outcomes["arm"].count(Outcome.PASSED) >= 3
    lost = [r for r in runs["arm"].session.records.values() if r.outcome is Outcome.CRASHED]
    assert lost
    assert all("no node" in record.failure.message for record in lost)
