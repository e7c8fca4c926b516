"""Protocol between parent and worker: jobs one way, events the other, one JSON document per line.

The JSON of jobs and of runners' results stays readable for source trees of other versions: the gate drives an older
tree's launcher from this tree's parent. Keys are therefore added and never renamed, and unknown ones are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from diagnostics.codec import decode_as, encode
from suite.cell import Cell
from suite.worker.job_options import JobOptions

T = TypeVar("T")

MORE: Final = "preload"
"""Key of a line that is no job: the modules that the launcher imports besides. Launchers of older trees do not know it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One unit of work for one fresh process."""

    runner: str
    """`package.module:function`, called as `function(job, emit)` in the worker; returns a StepOutput."""
    options: JobOptions = field(default_factory=JobOptions)
    deadline: float = 600.0
    """Seconds after which the process and its children are killed."""
    log: str = ""
    """File that takes the worker's stdout and stderr; empty = discarded."""

    def read(self, kind: type[T]) -> T:
        """Return the options specific to this runner as its own dataclass.

        Raises ValueError with the invalid field.
        """
        return decode_as(kind, dict(self.options.extra))

    def to_json(self) -> str:
        """Return the job as one line of JSON."""
        cell = encode(self.cell) if isinstance(self, CellJob) else None
        return json.dumps(
            {
                "runner": self.runner,
                "cell": cell,
                "options": self.options.as_dict(),
                "deadline": self.deadline,
                "log": self.log,
            }
        )

    @staticmethod
    def from_json(line: str) -> Job:
        """Return the job that `to_json` wrote: a CellJob if it has a cell."""
        data = json.loads(line)
        cell = data.pop("cell", None)
        data["options"] = encode(JobOptions.from_dict(data.get("options", {})))
        return decode_as(Job, data) if cell is None else decode_as(CellJob, {**data, "cell": cell})


@dataclass(frozen=True, slots=True, kw_only=True)
class CellJob(Job):
    """A job about one cell."""

    cell: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event from a worker. Kinds: phase (begins), part (`name` and `output` of what the job has done while
    it goes on), result, failure; from the launcher: ready, started, exit.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0
    """time.perf_counter() of the sender."""

    def to_json(self) -> str:
        """Return the event as one line of JSON."""
        return json.dumps({"kind": self.kind, "data": self.data, "at": self.at}, allow_nan=True)


class Emit(Protocol):
    """Function by which a runner sends an event: `emit("phase", name="build")`. A phase lasts until the next one
    begins.
    """

    def __call__(self, kind: str, /, **data: Any) -> None:
        """Send one event of that kind at once."""
        ...
