"""What the user asked a run to do, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suite.axes import TASKS
from suite.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for, resolved: the same for every cell of the run."""

    specs: Mapping[str, ModelSpec]
    options: Mapping[str, Any]
    """Goes into every job: models_from, weights, sources, seed, threads, plan."""
    deadline: float
    """Seconds per job."""
    cold_replicates: int
    cache: str
    """Folder of the export cache; empty = no cache."""
    states: str = ""
    """Folder of the state store: what the stages make and start from."""

    def data_of(self, spec: ModelSpec) -> str:
        """The name of the data set that the model's task is run on."""
        source = self.options.get("sources", {}).get(TASKS[spec.task].input, {})
        return str(source.get("name", ""))
