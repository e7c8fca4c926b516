"""What the driver of a fleet costs per cell, how a fleet's speed grows with its nodes, and what is lost when they die.

    python tests/speed/fleet.py --cells 10000        # planned, sent, answered and recorded: seconds, processor, memory
    python tests/speed/fleet.py --pytest 10000       # the same with pytest around it, a test per cell
    python tests/speed/fleet.py --nodes 8            # a Ray cluster on this machine against one node of it
    python tests/speed/fleet.py --kills 50           # runs in which nodes die at random: lost and doubled records

But for `--nodes`, nodes are the twin of tests/bench: the nodes' own code in this process, no Ray, cells that answer at
once. What the nodes' code takes is taken off. With `--nodes` they are Ray's own processes, and cells sleep.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench")]

from fleet_twin import (  # noqa: E402
    MAKER,
    SLEEP,
    SLEEPER,
    TwinCluster,
    kind_of_nodes,
    open_twin_run,
    planned_of,
)

from bench.fleet.cluster import connect  # noqa: E402
from bench.fleet.driver import Fleet, KindRun  # noqa: E402
from bench.fleet.kinds import kinds_of  # noqa: E402
from bench.fleet.node import Place  # noqa: E402
from suite.outcome import Outcome  # noqa: E402
from suite.runs.stored_records import StoredRecords  # noqa: E402

NODES = list("abcdefgh")


@dataclass
class BusyTwin(TwinCluster):
    """Nodes that answer faster than the driver asks, and remember nothing."""

    node_seconds: float = 0.0
    node_processor: float = 0.0

    def messages(self, seconds):
        """As many units as there are nodes, each time."""
        began, used = time.perf_counter(), time.process_time()
        for _ in range(min(len(self.alive), len(self.waiting))):
            self._run(*self.waiting.pop(0))
        self.tasks.clear()
        self.fetched.clear()
        self.cancelled.clear()
        self.node_seconds += time.perf_counter() - began
        self.node_processor += time.process_time() - used
        found, self.inbox = self.inbox, []
        return found


def many_cells(run, number):
    """Return the steps of that many cells of one model, each a unit of its own by its batch."""
    first = run.selection.cells[0]
    return [(replace(first, batch=n), "latency") for n in range(1, number + 1)]


def cells(number: int, out: Path) -> None:
    """Plan and record that many cells."""
    run = open_twin_run(out, models="mlp")
    run.session.records = StoredRecords(run.folder)
    planned = many_cells(run, number)
    before, began, used = _rss(), time.perf_counter(), time.process_time()
    run.begin([{"cell": cell.as_dict(), "step": step} for cell, step in planned])
    kind = KindRun.of(kind_of_nodes("box", NODES), run, planned)
    told, after_plan = time.perf_counter() - began, _rss()
    cluster = BusyTwin(ids=NODES)
    seen: list[float] = []

    def note(record) -> None:
        if len(run.session.records) % max(1, number // 4) == 0:
            seen.append(_rss())

    run.session.on_end = note
    Fleet(cluster=cluster, kinds=[kind], worker=MAKER).serve()
    run.folder.sync()
    seconds = time.perf_counter() - began - cluster.node_seconds
    processor = time.process_time() - used - cluster.node_processor
    lines = run.folder.records_file.read_text().splitlines()
    keys = {json.loads(line)["cell"]["batch"] for line in lines}
    print(
        f"{number} cells: planned in {told:.2f} s; {1e3 * seconds / number:.2f} ms and"
        f" {1e3 * processor / number:.2f} ms of processor each, without the nodes'; memory {before:.0f} MB before,"
        f" {after_plan:.0f} planned, then {', '.join(f'{one:.0f}' for one in seen)} at each quarter;"
        f" {number - len(keys)} lost, {len(lines) - len(keys)} doubled; load {os.getloadavg()[0]:.1f}"
    )


def under_pytest(number: int, out: Path) -> None:
    """Run `pytest bench --fleet` over that many cells of the twin and print the memory of its process."""
    options = ["--models", "mlp", "--backend", "eager", "--size", "tiny", "--plan", "quick"]
    options += ["-p", "no:cacheprovider", "-p", "fleet_stub", "--fleet", "auto", "--out", str(out)]
    options += ["--batch", ",".join(map(str, range(1, number + 1))), "-k", "latency"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(ROOT / "bench"), "-q", *options],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'bench'}:{ROOT / 'tests' / 'speed'}",
            "FLEET_STUB": str(out),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    print(
        f"pytest over {number} cells: {time.perf_counter() - began:.0f} s, exit {done.returncode}"
    )
    print("\n".join(done.stdout.splitlines()[-8:]))


def nodes(number: int, sleep: float, turns: int, out: Path) -> None:
    """Measure sleeping cells on that many nodes of a Ray cluster on this machine, and on one of them."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 << 20}
    rays = Cluster(
        initialize_head=True, head_node_args={**small, "num_cpus": 0, "include_dashboard": False}
    )
    try:
        for _ in range(number):
            rays.add_node(**small, wait=False)
        rays.wait_for_nodes()
        # Nodes that share a host unpack the source tree into one folder, and some import what is not whole yet.
        for _ in range(3):
            cluster = connect(
                rays.address,
                variables={"PYTHONPATH": str(ROOT / "tests" / "bench"), SLEEP: str(sleep)},
            )
            kinds, left_out = kinds_of(cluster.prepare(cluster.nodes()))
            if not left_out:
                break
            cluster.close()
        print(f"{len(kinds[0].nodes)} nodes of {number}", flush=True)
        try:
            _nodes(cluster, kinds[0], sleep, turns, out)
        finally:
            cluster.close()
    finally:
        rays.shutdown()


def _nodes(cluster, kind, sleep: float, most: int, out: Path) -> None:
    taken = {}
    for members in (kind.nodes, kind.nodes[:1]):
        # Once to start Ray's workers, which go on for the next units, then the measured cells.
        for turns in (1, most):
            run = open_twin_run(out, models="mlp")
            part = KindRun.of(
                replace(kind, nodes=members), run, many_cells(run, turns * len(members))
            )
            began = time.perf_counter()
            fleet = Fleet(cluster=cluster, kinds=[part], worker=SLEEPER)
            fleet.serve()
            taken[len(members)] = (time.perf_counter() - began) / (turns * len(members))
            assert not fleet.error, fleet.error
            outcomes = [record.outcome for record in run.session.records.values()]
            assert outcomes == [Outcome.PASSED] * (turns * len(members)), outcomes
    (many, fleet), (_, one) = taken.items()
    print(
        f"{many} nodes: {fleet:.3f} s a cell, one node: {one:.3f} s (cells sleep {sleep:g} s):"
        f" {one / fleet:.2f} times; load {os.getloadavg()[0]:.1f}"
    )


def kills(number: int, out: Path) -> None:
    """Run that often with nodes that die at random, and count what is lost or there twice."""
    lost = doubled = died = crashed = 0
    for seed in range(number):
        draw = random.Random(seed)
        run = open_twin_run(out / str(seed), models="*")
        kind = KindRun.of(kind_of_nodes("box", NODES), run, planned_of(run, "latency"))
        cluster = TwinCluster(ids=NODES, dies=lambda *_, d=draw: d.random() < 0.03)
        Fleet(cluster=cluster, kinds=[kind], worker=MAKER).serve()
        lines = run.folder.records_file.read_text().splitlines()
        found = [json.loads(line)["cell"]["model"] for line in lines]
        lost += len(kind.units) - len(set(found))
        doubled += len(found) - len(set(found))
        crashed += sum(json.loads(line)["outcome"] == "crashed" for line in lines)
        died += 8 - len(cluster.alive)
    print(
        f"{number} runs, {died} nodes died: {lost} cells lost, {doubled} doubled,"
        f" {crashed} recorded as crashed with the reason"
    )


def _rss() -> float:
    """Return the process's most memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=0)
    parser.add_argument("--pytest", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--sleep", type=float, default=2.0, help="seconds of a cell of --nodes")
    parser.add_argument("--turns", type=int, default=5, help="cells per node of --nodes")
    parser.add_argument("--kills", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if asked.nodes:
            nodes(asked.nodes, asked.sleep, asked.turns, out / "nodes")
        Place.of = classmethod(lambda cls, node: cls(folder=out / "nodes" / node))  # type: ignore[method-assign]
        if asked.cells:
            cells(asked.cells, out / "cells")
        if asked.pytest:
            under_pytest(asked.pytest, out / "pytest")
        if asked.kills:
            kills(asked.kills, out / "kills")


if __name__ == "__main__":
    main()
