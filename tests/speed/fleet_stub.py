"""A pytest plugin by which `--fleet auto` finds the twin's nodes, for `fleet.py --pytest`; tells the memory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import fleet_twin

from bench.fleet import plugin
from bench.fleet.node import Place
from diagnostics.codec import encode
from suite.outcome import Outcome


class Stub(fleet_twin.TwinCluster):
    """The twin with what the plugin asks besides."""

    def prepare(self, nodes):
        return [fleet_twin.facts(node.id) for node in nodes]

    def run_job(self, task, nodes, num_cpus, num_gpus, seconds):
        return {"outcome": Outcome.PASSED.value, "result": encode({})}

    def _run(self, *unit):
        super()._run(*unit)
        self.tasks.clear()
        self.fetched.clear()

    def close(self):
        pass


# Before bench's own plugin is configured, which connects.
FOLDER = Path(os.environ["FLEET_STUB"])
MADE = plugin.OpenFleet.plugin


def with_twin(self, selections):
    """The fleet's plugin, whose nodes have the twin's worker."""
    found = MADE(self, selections)
    found.worker = fleet_twin.MAKER
    return found


Place.of = classmethod(lambda cls, node: cls(folder=FOLDER / "nodes" / node))
plugin.connect = lambda address: Stub(ids=list("abcdefgh"))
plugin.OpenFleet.plugin = with_twin


def pytest_runtest_logfinish(nodeid):
    """Note the memory before the report is made."""
    pytest_runtest_logfinish.most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pytest_unconfigure():
    """Print it."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    before = getattr(pytest_runtest_logfinish, "most", 0.0)
    print(f"memory: {before:.0f} MB when all was recorded, {most:.0f} MB at most, with the report")
