"""Anatomy: one graph taken apart, as plain data that is kept as JSON beside the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.graph_analysis.spread import Spread, spread_from

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
    unassigned: float | None = None
    """Seconds of nodes that the optimizer made and that belong to no node of the file."""
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


def anatomy_from(data: Mapping[str, Any]) -> Anatomy:
    """The anatomy that `as_dict` gave; raises ValueError for anything else."""
    if not isinstance(data, Mapping):
        raise ValueError(f"a {type(data).__name__}, not an object")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema is {data.get('schema')!r}; this version reads {SCHEMA}")
    try:
        fields = {name: value for name, value in data.items() if name != "schema"}
        fields |= {
            "opsets": tuple((str(d), int(v)) for d, v in data["opsets"]),
            "operators": tuple((str(o), int(n)) for o, n in data["operators"]),
            "dtypes": tuple((str(d), int(n), int(b)) for d, n, b in data["dtypes"]),
            "inputs": tuple(Port(**port) for port in data["inputs"]),
            "outputs": tuple(Port(**port) for port in data["outputs"]),
            "parts": tuple(Part(**part) for part in data["parts"]),
            "weights": tuple(map(_layer, data["weights"])),
            "activations": tuple(map(_layer, data["activations"])),
            "sizes": tuple((str(n), int(s)) for n, s in data.get("sizes", ())),
            "problems": tuple(map(str, data["problems"])),
        }
        return Anatomy(**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an anatomy of schema {SCHEMA}: {error}") from error


def _layer(data: Mapping[str, Any]) -> Layer:
    return Layer(**{**data, "spread": spread_from(data["spread"])})
