"""Fake worker that runs nothing: the in-process replacement of the launcher's client, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from suite.outcome import Outcome
from suite.worker.client import Answer, OnPart, no_parts
from suite.worker.protocol import Job


@dataclass(slots=True, kw_only=True)
class FakeWorker:
    """Answers every job with a function of the job, and records the jobs."""

    answer: Callable[[Job], Answer]
    jobs: list[Job] = field(default_factory=list)
    is_closed: bool = False

    def run(self, job: Job, on_part: OnPart = no_parts) -> Answer:
        """Return the scripted answer, its `parts` first; the job still passes through JSON, as in the real client."""
        job = Job.from_json(job.to_json())
        self.jobs.append(job)
        answer = self.answer(job)
        for name, output in answer.result.get("parts", {}).items():
            on_part(name, replace(answer, outcome=Outcome.PASSED, result=output, failure=None))
        return answer

    def close(self) -> None:
        """Record that it was closed."""
        self.is_closed = True
