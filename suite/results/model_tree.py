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
    """Element counts in equally wide bins from `low` to `high`; empty if no element is finite."""
    low: float = 0.0
    high: float = 0.0
    sparsity: float = 0.0
    """Share of zeros (0..1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRow:
    """Module of the tree."""

    name: str
    """Path from the root, e.g. `layer1.0.conv1`; empty for the root."""
    kind: str
    """Class name."""
    parameters: int = 0
    """Number of parameters of the module and its submodules."""
    shape: str = ""
    """Shape of its last output, e.g. `1×64×56×56`; empty for a module that did not run."""
    macs: int = 0
    weights: tuple[WeightSpread, ...] = ()
    """Parameters of the module itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTree(StepResult):
    """A model, module by module, on one batch."""

    modules: tuple[ModuleRow, ...]
    """Depth first; the first is the root."""
    inputs: str = ""
    """Shapes of the batch."""
    num_bytes: int = 0
    """Bytes of the parameters."""
    num_shared: int = 0
    """Number of parameters that have a second name."""
    data: str = ""
    """Data set of the batch; empty for random numbers."""
    num_samples: int = 0
