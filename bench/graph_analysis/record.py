"""Anatomy: one graph taken apart, as plain data that is kept as JSON beside the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.graph_analysis.spread import Spread
from diagnostics.codec import decode_as

SCHEMA: Final = 1
"""1: first version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or an output of the graph."""

    name: str
    dtype: str
    shape: str
    """`batch×3×224×224`; `?` when it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One node that multiplies or takes time."""

    key: str
    operator: str
    scope: str
    macs: int | None
    """Multiply-accumulates; None when an open shape keeps them from being counted."""
    seconds: float | None = None
    """Of one run, as ONNX Runtime's profile tells; None when the optimizer left nothing of it, or nothing was run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The numbers of one stored tensor or of one layer's output."""

    name: str
    """The same in every state of a model: without what a quantizer puts behind it."""
    actual: str
    """As the file names it."""
    dtype: str
    """As it is stored; its numbers are dequantized."""
    shape: str
    spread: Spread
    snr_db: float | None = None
    """Signal to noise against the state that this one was quantized from; None when it was not compared or is equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """One graph."""

    model: str
    size: str
    variant: str
    path: str
    """Relative to the run folder; the file's name for a graph of the user's."""
    num_bytes: int
    stamp: str
    """What the file was when this was made: its bytes and its time."""
    producer: str
    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: tuple[tuple[str, int], ...]
    """(operator, nodes), most frequent first."""
    num_nodes: int
    initializer_bytes: int
    dtypes: tuple[tuple[str, int, int], ...]
    """(dtype, tensors, bytes) of what is stored, largest first."""
    macs: int
    num_uncounted: int
    """Nodes that multiply, but how much depends on shapes that are open."""
    parts: tuple[Part, ...] = ()
    weights: tuple[Layer, ...] = ()
    activations: tuple[Layer, ...] = ()
    fed: str = ""
    """What the activations and times come from: `digits, 1 sample` or `random numbers`; empty when nothing was run."""
    seconds: float | None = None
    """Of one profiled run, all nodes together."""
    sizes: tuple[tuple[str, int], ...] = ()
    """(open axis, extent) as taken for `macs`."""
    problems: tuple[str, ...] = ()
    """What could not be done, a sentence each."""

    @property
    def num_parameters(self) -> int:
        """Elements of the stored tensors that are told in `weights`."""
        return sum(layer.spread.num for layer in self.weights)

    @property
    def sparsity(self) -> float:
        """Share of those elements that are exactly zero."""
        zeros = sum(layer.spread.num_zero for layer in self.weights)
        return zeros / self.num_parameters if self.num_parameters else 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {"schema": SCHEMA, **asdict(self)}


def anatomy_from(data: object) -> Anatomy:
    """Return the anatomy that `as_dict` gave; raises ValueError, with the field, for anything else."""
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"schema is {schema!r}; this version reads {SCHEMA}")
    return decode_as(Anatomy, data)
