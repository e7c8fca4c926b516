"""Result of `python -m suite show`: the tree of a model's modules."""

from __future__ import annotations

from dataclasses import dataclass

from suite.results.step_result import StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSpread:
    """A parameter and the histogram of its finite elements."""

    name: str
    shape: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    """Elements in equally wide bins from `low` to `high`; empty where no element is finite."""
    low: float = 0.0
    high: float = 0.0
    sparsity: float = 0.0
    """Share of zeros (0..1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRow:
    """A module of the tree."""

    name: str
    """Path from the root, e.g. `layer1.0.conv1`; empty for the root."""
    kind: str
    """Class."""
    parameters: int = 0
    """Its own and those of all modules below it."""
    shape: str = ""
    """Of its last output, e.g. `1×64×56×56`; empty for a module that did not run."""
    macs: int = 0
    weights: tuple[WeightSpread, ...] = ()
    """Its own parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTree(StepResult):
    """A model, module by module, on one batch."""

    modules: tuple[ModuleRow, ...]
    """Depth first; the first is the root."""
    inputs: str = ""
    """Shapes of the batch."""
    num_bytes: int = 0
    """Of the parameters."""
    num_shared: int = 0
    """Parameters that have a second name."""
    data: str = ""
    """The data set that the batch came from; empty for random numbers."""
    num_samples: int = 0
