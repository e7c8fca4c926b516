"""Resolved configuration of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.axes import TASKS
from suite.spec import ModelSpec
from suite.worker.job_options import JobOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Resolved configuration of a run, the same for every cell."""

    specs: Mapping[str, ModelSpec]
    options: JobOptions
    """Options added to every job."""
    deadline: float
    """Time limit of a job in seconds."""
    cold_replicates: int
    cache: str
    """Folder of the export cache; empty = no cache."""
    states: str = ""
    """Folder of the state store, which holds the states that stages make and start from."""

    def data_of(self, spec: ModelSpec) -> str:
        """Return the name of the data set that the model's task runs on."""
        source = self.options.sources.get(TASKS[spec.task].input)
        return source.name if source else ""
