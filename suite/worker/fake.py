"""Fake worker that runs nothing: the in-process replacement of the launcher's client, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from suite.worker.client import Answer, OnPart, no_parts
from suite.worker.protocol import Job


@dataclass(slots=True, kw_only=True)
class FakeWorker:
    """Answers every job with a function of the job, and records the jobs."""

    answer: Callable[[Job], Answer]
    parts: Callable[[Job], Mapping[str, Answer]] = lambda job: {}
    """Answers to the parts of the job that are done before it ends."""
    jobs: list[Job] = field(default_factory=list)
    is_closed: bool = False

    def run(self, job: Job, on_part: OnPart = no_parts) -> Answer:
        """Return the scripted answer, its parts first; the job still passes through JSON, as in the real client."""
        job = Job.from_json(job.to_json())
        self.jobs.append(job)
        for name, part in self.parts(job).items():
            on_part(name, part)
        return self.answer(job)

    def close(self) -> None:
        """Record that it was closed."""
        self.is_closed = True
