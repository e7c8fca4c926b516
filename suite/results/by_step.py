"""Which step has which result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suite.results.build import BuildResult
from suite.results.export import ExportResult
from suite.results.finetune import FinetuneResult
from suite.results.foundations import FoundationResult
from suite.results.measuring import (
    ColdStartResult,
    DataLoaderResult,
    LatencyResult,
    MemoryResult,
    SizeResult,
    TrainingStepResult,
)
from suite.results.parallel import ParallelResult
from suite.results.prune import PruneResult
from suite.results.quantize import QuantizeResult
from suite.results.step_result import StepResult, UnknownResult
from suite.results.train import TrainResult

RESULTS: Final[Mapping[str, type[StepResult]]] = {
    "foundations": FoundationResult,
    "build": BuildResult,
    "train": TrainResult,
    "finetune": FinetuneResult,
    "prune": PruneResult,
    "quantize": QuantizeResult,
    "export": ExportResult,
    "parallel": ParallelResult,
    "size": SizeResult,
    "latency": LatencyResult,
    "memory": MemoryResult,
    "coldstart": ColdStartResult,
    "training": TrainingStepResult,
    "dataloader": DataLoaderResult,
}
"""Step -> class of its result."""


def result_class(step: str) -> type[StepResult]:
    """The class of that step's result (of `foundations:matmul` that of `foundations`)."""
    return RESULTS.get(step.partition(":")[0], UnknownResult)
