"""Anatomy: the analysis of one graph, as plain data stored as JSON in the run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.graph_analysis.causes import Finding
from bench.graph_analysis.spread import Spread
from bench.onnx_graph.names import bare
from diagnostics.codec import decode_as

SCHEMA: Final = 1
"""1: first version."""
ROWS: Final = "_rows"
"""Suffix of an embedding that `suite.quantization` stored row by row, each with its own scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or an output of the graph."""

    name: str
    dtype: str
    shape: str
    """`batch×3×224×224`; `?` if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One node that multiplies or takes time."""

    key: str
    operator: str
    scope: str
    macs: int | None
    """Multiply-accumulates; None if an open shape prevents counting."""
    seconds: float | None = None
    """Seconds per run in ONNX Runtime's profile; None if the optimizer removed the node, or nothing was run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Statistics of one stored tensor or of one layer's output."""

    name: str
    """Name without the quantizer's suffixes, the same in every state of a model."""
    actual: str
    """Name in the file."""
    dtype: str
    """Stored dtype; the statistics are of dequantized values."""
    shape: str
    spread: Spread
    snr_db: float | None = None
    """Signal-to-noise ratio against the state from which this one was quantized; None if not compared or equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Analysis of one graph."""

    model: str
    size: str
    variant: str
    path: str
    """Path relative to the run folder; the file's name for a user's graph."""
    num_bytes: int
    stamp: str
    """Size and modification time of the file when this was made."""
    producer: str
    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: tuple[tuple[str, int], ...]
    """(operator, number of nodes), most frequent first."""
    num_nodes: int
    initializer_bytes: int
    dtypes: tuple[tuple[str, int, int], ...]
    """(dtype, number of tensors, bytes) of stored tensors, largest first."""
    macs: int
    num_uncounted: int
    """Number of multiplying nodes whose MACs depend on open shapes."""
    parts: tuple[Part, ...] = ()
    weights: tuple[Layer, ...] = ()
    activations: tuple[Layer, ...] = ()
    fed: str = ""
    """Source of activations and times: `digits, 1 sample` or `random numbers`; empty if nothing was run."""
    seconds: float | None = None
    """Seconds of one profiled run, over all nodes."""
    causes: tuple[Finding, ...] = ()
    """What slows it down, the largest first; see `bench.graph_analysis.causes`."""
    sizes: tuple[tuple[str, int], ...] = ()
    """(open axis, extent) assumed for `macs`."""
    problems: tuple[str, ...] = ()
    """One sentence for each failure."""

    @property
    def num_parameters(self) -> int:
        """Number of elements of the stored tensors listed in `weights`."""
        return sum(layer.spread.num for layer in self.weights)

    @property
    def sparsity(self) -> float:
        """Share of those elements that are exactly zero."""
        zeros = sum(layer.spread.num_zero for layer in self.weights)
        return zeros / self.num_parameters if self.num_parameters else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the anatomy as JSON-able data."""
        return {"schema": SCHEMA, **asdict(self)}


def anatomy_from(data: object) -> Anatomy:
    """Return the anatomy that `as_dict` gave; raise ValueError, with the field, for anything else."""
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"schema is {schema!r}; this version reads {SCHEMA}")
    return decode_as(Anatomy, data)


def stamp_of(path: Path) -> str:
    """Return a stamp that identifies the file's content by size and time. Empty if the file is missing."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_size}-{found.st_mtime_ns}"


def layer_name(name: str) -> str:
    """Return a stored tensor's or node's name without the quantizer's suffixes."""
    return bare(name).removesuffix(ROWS)
