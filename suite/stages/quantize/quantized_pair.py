"""Worker side. Quantized pair: the quantized model and the float one, ready to be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from suite.claims import Claim
from suite.lifecycle import Quantization
from suite.quantization.switched import Feeds
from suite.results.quantize import QuantizationReport
from suite.training.quality import Forward


class Make(Protocol):
    """Writes the quantized graph in one of several ways."""

    def __call__(
        self, graph: Path, output: Path, settings: Quantization, changes: Mapping[str, Any], /
    ) -> QuantizationReport:
        """Return the report on the float `graph` in 8 bits; `changes` are further arguments of the function that
        quantizes.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRecipe:
    """What it takes to quantize a graph again."""

    graph: Path
    """The float graph."""
    output: Path
    """The quantized graph, in the state's folder."""
    settings: Quantization
    threads: int
    make: Make
    samples: Callable[[], Iterable[Feeds]]
    """Feeds that calibrate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedPair:
    """A quantized model and the float one, both ready to run."""

    reference: Forward
    """The float model, run by the same backend."""
    quantized: Forward
    calls: Mapping[str, Callable[[], Any]]
    """Arm -> one forward pass on the cell's batch: `float`, `quantized`, and further ones of interest."""
    claims: Sequence[Claim]
    """The recipe's own claims: counts, bytes."""
    report: QuantizationReport
    """What the recipe did."""
    synchronize: Callable[[], None] = lambda: None
    recipe: GraphRecipe | None = None
    """How to make the graph once more in another way; None for a recipe that has one way only."""
