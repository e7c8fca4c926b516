"""A worker that runs nothing: the in-process twin of the launcher's client, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from suite.worker.client import Answer
from suite.worker.protocol import Job


@dataclass(slots=True, kw_only=True)
class FakeWorker:
    """Answers every job by a function of the job, and remembers the jobs."""

    answer: Callable[[Job], Answer]
    jobs: list[Job] = field(default_factory=list)
    is_closed: bool = False

    def run(self, job: Job) -> Answer:
        """The scripted answer; the job still crosses as JSON, as in the real thing."""
        job = Job.from_json(job.to_json())
        self.jobs.append(job)
        return self.answer(job)

    def close(self) -> None:
        """Remembers that it was closed."""
        self.is_closed = True
