"""A cluster without Ray: units run in this process by the nodes' own code, and nodes die when the script says so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.fleet import node
from bench.fleet.cluster import ClusterNode, Ended
from bench.fleet.content import SentFile, parts_of, sha256_of
from bench.fleet.kinds import Kind, NodeFacts
from bench.fleet.task import Message, UnitTask
from bench.steps import STEPS
from diagnostics.codec import encode
from diagnostics.gather import gather
from suite.engine.run import Run, described, open_run
from suite.measurement import Measurement
from suite.options import Asked, resolve
from suite.outcome import Outcome
from suite.results.step_output import StepOutput, encode_output
from suite.results.step_result import StepResult
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker
from suite.worker.protocol import Job

MAKER = "fleet_twin:make_worker"


def answer(job: Job) -> Answer:
    """What a cell of one quick step answers: twenty rounds."""
    samples = tuple(0.001 + number * 1e-6 for number in range(20))
    latency = Measurement(metric="latency", unit="s", samples=samples, iterations_per_sample=1)
    output = StepOutput(result=StepResult(), measurements=(latency,))
    return Answer(outcome=Outcome.PASSED, result=encode_output(output), phases={"measure": 0.02})


class Forgetful(FakeWorker):
    """Remembers no jobs: in a twin they would be the driver's memory."""

    def run(self, job: Job, *rest) -> Answer:
        found = super().run(job, *rest)
        self.jobs.clear()
        return found


SLOW = "fleet_twin:make_slow_worker"


def make_slow_worker(logs: Path) -> Forgetful:
    """A worker that takes a moment, in which nodes can die."""

    def slow(job: Job) -> Answer:
        time.sleep(0.2)
        return answer(job)

    return Forgetful(answer=slow)


def make_worker(logs: Path) -> Forgetful:
    """A worker that answers at once; see `UnitTask.worker`."""
    return Forgetful(answer=answer)


SLEEPER = "fleet_twin:make_sleeper"
SLEEP = "VITALS_TWIN_SLEEPS"
"""Environment variable with the seconds of such a cell."""


def make_sleeper(logs: Path) -> Forgetful:
    """A worker whose cells take their time and no processor: nodes that share a machine do not disturb each other."""

    def asleep(job: Job) -> Answer:
        time.sleep(float(os.environ.get(SLEEP, "2")))
        return answer(job)

    return Forgetful(answer=asleep)


class Dies(Exception):
    """The node is gone in the middle."""


@dataclass
class TwinCluster:
    """The cluster as the driver sees it."""

    ids: list[str]
    dies: Callable[[str, UnitTask, int], bool] = lambda node, task, number: False
    """Called before each message of a node; True = the node dies instead of sending it."""
    alive: list[str] = field(default_factory=list)
    inbox: list[Message] = field(default_factory=list)
    done: list[Ended] = field(default_factory=list)
    contents: dict[str, Path] = field(default_factory=dict)
    fetched: list[tuple[str, str]] = field(default_factory=list)
    """(node, hash) of every transfer."""
    tasks: list[tuple[str, UnitTask]] = field(default_factory=list)
    cancelled: list[tuple[str, str, int]] = field(default_factory=list)
    waiting: list = field(default_factory=list)

    def __post_init__(self):
        self.alive = [*self.ids]

    def nodes(self):
        return [ClusterNode(one, f"host-{one}", "", 1.0, 0.0) for one in self.alive]

    def share(self, path, name):
        digest = sha256_of(path)
        self.contents[digest] = path
        return SentFile(path=name, sha256=digest, size=path.stat().st_size)

    def submit(self, handle, task, nodes, num_cpus, num_gpus):
        self.waiting.append((handle, task, nodes))

    def messages(self, seconds):
        if self.waiting and not self.inbox:
            self._run(*self.waiting.pop(0))
        found, self.inbox = self.inbox, []
        return found

    def _run(self, handle, task, nodes):
        here = [one for one in nodes if one in self.alive]
        if not here:
            return
        where, number = here[0], 0
        self.tasks.append((where, task))

        def send(message):
            nonlocal number
            number += 1
            if self.dies(where, task, number):
                raise Dies(where)
            self.inbox.append(message)

        def fetch(sha256):
            self.fetched.append((where, sha256))
            return parts_of(self.contents[sha256])

        try:
            node.run_unit(encode(task), where, send, fetch)
            self.done.append(Ended(handle))
        except Dies:
            self.alive.remove(where)
            self.done.append(Ended(handle, "NodeDiedError: the node is gone"))
        except node.NodeUnfit as error:
            self.done.append(Ended(handle, str(error)))

    def ended(self):
        found, self.done = self.done, []
        return found

    def cancel(self, handle):
        self.cancelled.append(handle)
        self.waiting = [one for one in self.waiting if one[0] != handle]

    def forget(self, handle):
        pass


@cache
def this_machine():
    return described(gather(quick=True))


def facts(name: str, *, label: str = "", fingerprint: str = "", problem: str = "") -> NodeFacts:
    """What a node says that is this machine, or another one by its fingerprint."""
    machine = this_machine()
    machine = {**machine, "fingerprint": fingerprint or machine["fingerprint"]}
    return NodeFacts(node=name, host=f"host-{name}", label=label, machine=machine, problem=problem)


def kind_of_nodes(name: str, ids: list[str]) -> Kind:
    return Kind(name=name, nodes=tuple(facts(one) for one in ids))


def open_twin_run(out: Path, *, models: str = "mlp,cnn", resume: str | None = None) -> Run:
    """A run of these models at tiny, without a launcher."""
    selection = resolve(
        Asked(models=[models], size="tiny", backend="eager"), num_gpus=0, num_cores=1
    )
    return open_run(
        out=out,
        resume=resume,
        selection=selection,
        environment=gather(quick=True),
        deadline=9.0,
        command="pytest bench --fleet auto",
        steps=STEPS,
        worker=lambda folder: FakeWorker(answer=answer),
    )


def planned_of(run: Run, *steps: str):
    return [(cell, step) for cell in run.selection.cells for step in steps]


@dataclass
class TimedTwin(TwinCluster):
    """Nodes whose attempts take 1 s each, of the twin's own time; a free node gets what waited longest, as with Ray."""

    now: float = 0.0
    going: dict[str, tuple[float, tuple]] = field(default_factory=dict)
    """Node -> when it is done, and with what."""

    def messages(self, seconds):
        for unit in [*self.waiting]:
            free = [one for one in unit[2] if one in self.alive and one not in self.going]
            if free:
                self.waiting.remove(unit)
                self.going[free[0]] = (self.now + 1.0, unit)
        if self.going and not self.inbox:
            node_id = min(self.going, key=lambda one: self.going[one][0])
            self.now, (handle, task, _) = self.going.pop(node_id)
            self._run(handle, task, [node_id])
        found, self.inbox = self.inbox, []
        return found
