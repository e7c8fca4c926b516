"""Worker side. Backend `compiled`: eager through torch.compile; the compilation is in the first forward."""

from __future__ import annotations

import torch

from suite.backends import eager
from suite.backends.runnable import Runnable
from suite.worker.protocol import CellJob, Emit


def load(job: CellJob, emit: Emit) -> Runnable:
    """The cell's module behind torch.compile with its default settings."""
    return eager.load(job, emit, transform=torch.compile)
