"""The gate on a fleet: scripted nodes that run the nodes' own code, and arms that answer as a script says."""

import shutil
from pathlib import Path

import fleet_twin
import gate_machine
import pytest

from bench.fleet import gate_node
from bench.fleet.cluster import Ended
from bench.fleet.content import SentFile, sha256_of
from bench.fleet.gate import FleetJudge, check_gate, parts_of
from bench.fleet.node import Place
from bench.gate.errors import GateError
from bench.gate.row import Row
from bench.gate.run import GateConfig, judge_here, run_gate
from bench.gate.thresholds import Limits, Thresholds
from bench.gate.verdict import Exit, Verdict
from diagnostics.codec import encode
from suite.import_root import TREE
from suite.options import Asked, resolve

MODELS = "mlp,cnn,lstm,gru"
MACHINES = []
"""Scripted arms of the test that runs."""


def judge(request, rows, base, head, folder, say):
    """What nodes judge by here, see `GateTask.judge`."""
    assert (base.tree / "suite" / "spec.py").is_file()
    machine = MACHINES[-1]
    found = judge_here(
        request, rows, base, head, folder, say, start=machine.start, budget=gate_machine.BUDGET
    )
    assert all(worker.is_closed for _, _, worker in machine.workers)
    return found


class GateTwin(fleet_twin.TwinCluster):
    """A cluster whose nodes judge."""

    def share(self, path, name):
        digest = sha256_of(path)
        self.contents[digest] = path.read_bytes()
        return SentFile(path=name, sha256=digest, size=path.stat().st_size)

    def messages(self, seconds):
        while self.waiting:
            self._run(*self.waiting.pop(0))
        found, self.inbox = self.inbox, []
        return found

    def _run(self, handle, task, nodes):
        (where,) = nodes
        self.tasks.append((where, task))
        if self.dies(where, task, 1):
            self.alive.remove(where)
            self.done.append(Ended(handle, "NodeDiedError: the node is gone"))
            return
        answer = gate_node.run_gate_part(
            encode(task), where, self.inbox.append, lambda sha256: [self.contents[sha256]]
        )
        self.done.append(Ended(handle, answer=answer))


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(
        Place, "of", classmethod(lambda cls, name: cls(folder=tmp_path / "nodes" / name))
    )
    monkeypatch.setattr("bench.fleet.gate.POLL_SECONDS", 0.0)


@pytest.fixture
def older(tmp_path):
    """Another source tree: only what is looked at when arms are scripted."""
    for name in ("suite/spec.py", "suite/worker/version.py"):
        target = tmp_path / "older" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TREE / name, target)
    return tmp_path / "older"


def gate_on(tmp_path, older, machine, ids, judging=True, **script):
    """Return the gate of four models and the twin whose nodes judged it."""
    MACHINES.append(machine)
    selection = resolve(
        Asked(models=[MODELS], size="tiny", backend="eager"), num_gpus=0, num_cores=1
    )
    request = GateConfig(
        selection=selection,
        thresholds=Thresholds(),
        against=str(older),
        started_in=tmp_path,
        out=tmp_path / "out",
        plan="quick",
        is_forced=True,
    )
    cluster = GateTwin(ids=ids, **script)
    on_fleet = FleetJudge(
        cluster=cluster, kind=fleet_twin.kind_of_nodes("box", ids), judge="test_fleet_gate:judge"
    )
    gate, _ = run_gate(
        request,
        judge=on_fleet if judging else None,
        start=machine.start,
        budget=gate_machine.BUDGET,
    )
    return gate, cluster, on_fleet


def test_both_arms_of_a_row_are_measured_on_one_node_and_rows_on_all(tmp_path, older):
    machine = gate_machine.Machine()
    gate, cluster, on_fleet = gate_on(tmp_path, older, machine, ["a", "b"])
    assert {node for node, _ in cluster.tasks} == {"a", "b"}
    assert [row.cell.model for row in gate.rows] == MODELS.split(",")
    assert sorted(on_fleet.where) == sorted(row.name for row in gate.rows)
    assert [arm for arm, _, _ in machine.workers] == ["base", "head"] * 2
    assert {row.verdict for row in gate.rows} == {Verdict.NO_REGRESSION}
    assert gate.exit is Exit.PASS


def test_a_slower_head_regresses_as_on_one_machine(tmp_path, older):
    on_one, _, _ = gate_on(
        tmp_path, older, gate_machine.Machine(slower=1.3), ["a", "b"], judging=False
    )
    gate, _, _ = gate_on(tmp_path, older, gate_machine.Machine(slower=1.3), ["a", "b"])
    assert {row.verdict for row in gate.rows} == {row.verdict for row in on_one.rows}
    assert {row.verdict for row in gate.rows} == {Verdict.REGRESSED}
    assert gate.exit is on_one.exit is Exit.REGRESSED
    # The correction is over the rows of all nodes, not over those of each.
    assert max(row.adjusted for row in gate.rows) == max(row.adjusted for row in on_one.rows)
    assert all(row.cause for row in gate.rows)


def test_a_part_whose_node_died_is_measured_on_another(tmp_path, older):
    gate, cluster, on_fleet = gate_on(
        tmp_path,
        older,
        gate_machine.Machine(),
        ["a", "b", "c"],
        dies=lambda node, task, number: node == "a",
    )
    assert gate.exit is Exit.PASS
    assert "host-a" not in on_fleet.where.values()
    assert len(on_fleet.where) == len(gate.rows) == 4
    lost = next(task for node, task in cluster.tasks if node == "a")
    again = next(t for n, t in cluster.tasks if t.part == lost.part and n != "a")
    assert (lost.attempt, again.attempt) == (1, 2)


def test_rows_that_no_node_finished_break_the_gate_with_the_reasons(tmp_path, older):
    gate, _, _ = gate_on(tmp_path, older, gate_machine.Machine(), ["a", "b"], dies=lambda *_: True)
    assert gate.exit is Exit.BROKEN
    assert all("no node finished it" in row.broken for row in gate.rows)
    assert all("NodeDiedError" in row.broken for row in gate.rows)


def test_what_the_user_has_to_mend_ends_the_gate_in_one_sentence(tmp_path, older):
    with pytest.raises(GateError, match="host-.*cannot list its models: no module"):
        gate_on(
            tmp_path,
            older,
            gate_machine.Machine(records={"base": gate_machine.failed("no module")}),
            ["a"],
        )


def test_a_node_whose_control_shifts_is_not_hidden_by_the_others(tmp_path, older):
    gate, _, _ = gate_on(tmp_path, older, gate_machine.Machine(control=1.2), ["a", "b"])
    assert gate.exit is Exit.CONTAMINATED


def test_rows_of_one_model_stay_together_and_parts_are_of_like_size():
    cells = resolve(
        Asked(models=[MODELS], size="tiny", backend="eager,onnxruntime"), num_gpus=0, num_cores=1
    ).cells
    parts = parts_of([Row(cell=cell, limits=Limits()) for cell in cells], 3)
    homes = {}
    for part in parts:
        for row in part.rows:
            homes.setdefault(row.cell.model, set()).add(part.name)
    assert all(len(names) == 1 for names in homes.values())
    assert sorted(len(part.rows) for part in parts) == [2, 2, 4]


def test_two_kinds_of_machine_do_not_judge_one_gate():
    kinds = {name: fleet_twin.kind_of_nodes(name, ["a"]) for name in ("amx", "arm")}
    with pytest.raises(GateError, match="--fleet-kinds"):
        check_gate(kinds)


def test_the_folders_of_a_gate_are_gone_from_its_nodes(tmp_path, older):
    gate_on(tmp_path, older, gate_machine.Machine(), ["a"])
    assert [*Path(tmp_path, "nodes", "a", "gates").iterdir()] == []
