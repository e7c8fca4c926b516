"""What the driver of a fleet costs per cell, and what it loses when nodes die.

    python tests/speed/fleet.py --cells 10000        # planned, sent, answered and recorded: seconds, processor, memory
    python tests/speed/fleet.py --kills 50           # runs in which nodes die at random: lost and doubled records

Nodes are the twin of tests/bench (the nodes' own code in this process, no Ray): the figures are the driver's and
not those of Ray's processes: what a cell costs here includes what its node would do. Cells answer at once.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench")]

from fleet_twin import MAKER, TwinCluster, kind_of_nodes, open_twin_run, planned_of  # noqa: E402

from bench.fleet.driver import Fleet, KindRun  # noqa: E402
from bench.fleet.node import Place  # noqa: E402


def cells(number: int, out: Path) -> None:
    """Plan and record that many cells of one model, each a unit of its own by its batch."""
    run = open_twin_run(out, models="mlp")
    first = run.selection.cells[0]
    planned = [(replace(first, batch=n), "latency") for n in range(1, number + 1)]
    before, began, used = _rss(), time.perf_counter(), time.process_time()
    kind = KindRun.of(kind_of_nodes("box", list("abcdefgh")), run, planned)
    told = time.perf_counter() - began
    cluster = TwinCluster(ids=list("abcdefgh"))
    Fleet(cluster=cluster, kinds=[kind], worker=MAKER).serve()
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    lines = run.folder.records_file.read_text().splitlines()
    keys = {json.loads(line)["cell"]["batch"] for line in lines}
    print(
        f"{number} cells: planned in {told:.2f} s; {1e3 * seconds / number:.2f} ms and"
        f" {1e3 * processor / number:.2f} ms of processor each; memory {_rss():.0f} MB at most, {before:.0f} MB"
        f" before; {number - len(keys)} lost, {len(lines) - len(keys)} doubled"
    )


def kills(number: int, out: Path) -> None:
    """Run that often with nodes that die at random, and count what is lost or there twice."""
    lost = doubled = died = crashed = 0
    for seed in range(number):
        draw = random.Random(seed)
        run = open_twin_run(out / str(seed), models="*")
        kind = KindRun.of(kind_of_nodes("box", list("abcdefgh")), run, planned_of(run, "latency"))
        cluster = TwinCluster(ids=list("abcdefgh"), dies=lambda *_, d=draw: d.random() < 0.03)
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
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        Place.of = classmethod(lambda cls, node: cls(folder=out / "nodes" / node))  # type: ignore[method-assign]
        if asked.cells:
            cells(asked.cells, out / "cells")
        if asked.kills:
            kills(asked.kills, out / "kills")


if __name__ == "__main__":
    main()
