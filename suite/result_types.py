"""The result class of each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suite.axes import FOUNDATIONS
from suite.axes.stages import STAGE_ROWS
from suite.results.foundations import FoundationResult
from suite.results.generate import GenerateResult
from suite.results.measuring import (
    ColdStartResult,
    CompilationResult,
    DataLoaderResult,
    FidelityResult,
    LatencyResult,
    MemoryResult,
    PairsResult,
    SizeResult,
    TrainingStepResult,
)
from suite.results.step_result import StepResult, UnknownResult

RESULTS: Final[Mapping[str, type[StepResult]]] = {
    FOUNDATIONS: FoundationResult,
    **{name: row.result for name, row in STAGE_ROWS.items()},
    "size": SizeResult,
    "latency": LatencyResult,
    "fidelity": FidelityResult,
    "pairs": PairsResult,
    "memory": MemoryResult,
    "coldstart": ColdStartResult,
    "compilation": CompilationResult,
    "generate": GenerateResult,
    "training": TrainingStepResult,
    "dataloader": DataLoaderResult,
}
"""Step -> class of its result."""


def result_class(step: str) -> type[StepResult]:
    """Return the class of a step's result (for `foundations:matmul` that of `foundations`)."""
    return RESULTS.get(step.partition(":")[0], UnknownResult)
