"""Arms whose `suite` does not take the working tree's instruments: they use those of their own tree.

Both arms are measured by the same code as long as they speak one version of the worker protocol. An older tree
brings its own `bench` and `diagnostics`; its results come as mappings, which `suite.results` decodes all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from suite.worker.client import Answer, Worker
from suite.worker.protocol import Job

OLDER_NAMES: Final[Mapping[str, str]] = {
    "bench.instruments.static_facts": "bench.instruments.facts",
    "bench.instruments.model_specs": "bench.instruments.records",
}
"""Module of an instrument -> its name in trees that do not have it."""


def name_in(tree: Path, runner: str) -> str:
    """Return the name that `module` or `module:function` has in that source tree."""
    module, colon, function = runner.partition(":")
    is_there = (tree / f"{module.replace('.', '/')}.py").is_file()
    return runner if is_there else f"{OLDER_NAMES.get(module, module)}{colon}{function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderWorker:
    """A worker of an older source tree: runs jobs by the names that their runners have there."""

    worker: Worker
    tree: Path

    def run(self, job: Job) -> Answer:
        """Run the job to its end; see Worker."""
        return self.worker.run(replace(job, runner=name_in(self.tree, job.runner)))

    def close(self) -> None:
        """End whatever still runs."""
        self.worker.close()
