"""Fake worker that runs nothing: the in-process replacement of the launcher's client, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from suite.worker.client import Answer
from suite.worker.protocol import Job


@dataclass(slots=True, kw_only=True)
class FakeWorker:
    """Answers every job with a function of the job, and records the jobs."""

    answer: Callable[[Job], Answer]
    jobs: list[Job] = field(default_factory=list)
    is_closed: bool = False

    def run(self, job: Job) -> Answer:
        """Return the scripted answer; the job still passes through JSON, as in the real client."""
        job = Job.from_json(job.to_json())
        self.jobs.append(job)
        return self.answer(job)

    def close(self) -> None:
        """Record that it was closed."""
        self.is_closed = True
