"""Jobs that belong to no cell, such as a machine's peaks, on a node of the kind that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bench.fleet.errors import FleetError
from bench.fleet.kinds import Kind
from bench.fleet.task import JobTask
from suite.outcome import Outcome
from suite.record import Failure
from suite.runs.store import RunFolder
from suite.worker.client import Answer, OnPart, no_parts
from suite.worker.protocol import Job

WAIT_SECONDS: Final = 300.0
"""Beyond a job's deadline: for Ray to free the node, and for the launcher's imports."""


class JobCluster(Protocol):
    """What runs such a job."""

    def run_job(
        self, task: JobTask, nodes: Sequence[str], num_cpus: float, num_gpus: float, seconds: float
    ) -> Mapping[str, Any]:
        """Return its answer as data; raise FleetError if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWorker:
    """A worker whose jobs run on one of a kind's nodes."""

    cluster: JobCluster
    kind: Kind
    preload: tuple[str, ...]
    maker: str
    """See `UnitTask.worker`."""
    folder: RunFolder

    def run(self, job: Job, on_part: OnPart = no_parts) -> Answer:
        """Return the answer of a node; one that gives none is an answer, too: crashed."""
        task = JobTask(job=job.to_json(), preload=self.preload, worker=self.maker)
        try:
            found = self.cluster.run_job(
                task,
                [node.node for node in self.kind.nodes],
                self.kind.num_cpus,
                self.kind.num_gpus,
                job.deadline + WAIT_SECONDS,
            )
        except FleetError as error:
            failure = Failure(kind="node", message=str(error), phase="fleet")
            return Answer(outcome=Outcome.CRASHED, failure=failure)
        return Answer(outcome=Outcome(found["outcome"]), result=found["result"])

    def close(self) -> None:
        """End nothing: the nodes end what they have started."""
