"""Worker side. Backend `compiled`: eager through torch.compile; compilation happens in the first forward pass."""

from __future__ import annotations

from suite.backends import eager
from suite.backends.inductor import compiled
from suite.backends.runnable import Runnable
from suite.worker.protocol import CellJob, Emit


def load(job: CellJob, emit: Emit) -> Runnable:
    """Return the cell's module wrapped in torch.compile with default settings."""
    return eager.load(job, emit, transform=compiled)
