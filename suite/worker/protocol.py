"""What crosses between parent and worker: jobs one way, events the other, one JSON document a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from suite.cell import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work for one fresh process."""

    runner: str
    """`package.module:function`, called as `function(job, emit)` in the worker; returns the JSON-able result."""
    cell: Cell | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able; what the runner needs beside the cell."""
    deadline: float = 600.0
    """Seconds after which the process and its children are killed."""
    log: str = ""
    """File that takes the worker's stdout and stderr; empty = discarded."""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Job:
        """The job that `to_json` wrote."""
        data = json.loads(line)
        if data["cell"] is not None:
            data["cell"] = Cell(**data["cell"])
        return cls(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing a worker says. Kinds: phase (begins), result, failure; from the launcher: ready, started, exit."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0
    """time.perf_counter() of the sender."""

    def to_json(self) -> str:
        """One line."""
        return json.dumps({"kind": self.kind, "data": self.data, "at": self.at}, allow_nan=True)


class Emit(Protocol):
    """How a runner says something: `emit("phase", name="build")`. A phase lasts until the next one begins."""

    def __call__(self, kind: str, /, **data: Any) -> None:
        """Sends one event of that kind at once."""
        ...
