"""What the user asked a run to do, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.axes import TASKS
from suite.spec import ModelSpec
from suite.worker.job_options import JobOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """What the user asked for, resolved: the same for every cell of the run."""

    specs: Mapping[str, ModelSpec]
    options: JobOptions
    """What goes into every job."""
    deadline: float
    """Seconds per job."""
    cold_replicates: int
    cache: str
    """Folder of the export cache; empty = no cache."""
    states: str = ""
    """Folder of the state store: what the stages make and start from."""

    def data_of(self, spec: ModelSpec) -> str:
        """The name of the data set that the model's task is run on."""
        source = self.options.sources.get(TASKS[spec.task].input)
        return source.name if source else ""
