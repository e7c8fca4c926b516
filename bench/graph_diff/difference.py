"""Difference of two graphs as a record."""

from __future__ import annotations

from dataclasses import dataclass

from bench.onnx_graph.record import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One item that differs between the two sides."""

    what: str
    """attribute, shape, dtype, operator, input, output, producer, opset, ir version."""
    name: str
    """Name of the attribute, value or domain; empty if there is only one."""
    before: str
    """Empty if absent."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRef:
    """A node on one side alone."""

    key: str
    operator: str
    scope: str
    outer: str
    """Key of the main graph's node that contains it; empty in the main graph."""

    @property
    def drawn(self) -> str:
        """Key of the node that represents it in a picture."""
        return self.outer or self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """A node that is on both sides and differs."""

    before: NodeRef
    after: NodeRef
    matched_by: str
    """name, structure (operator, scope and producers) or outputs."""
    changes: tuple[Change, ...]
    is_carried: bool = False
    """Whether only the shape or dtype of what it is fed has changed: the change is that of a node before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorChange:
    """Weights of one tensor on both sides, compared in the float domain."""

    name: str
    """Name before."""
    other: str
    """Name after."""
    dtypes: tuple[str, str]
    shapes: tuple[Shape, Shape]
    num_bytes: tuple[int, int]
    is_dequantized: tuple[bool, bool]
    """Whether integers were multiplied by their scale before comparison."""
    digests: tuple[str, str] = ("", "")
    """Digests of type, shape and elements."""
    is_equal: bool = False
    """Whether type, shape and all bytes are equal, including those of scale and zero point."""
    max_abs: float | None = None
    """Largest absolute difference; None if the shapes differ or an element is not finite."""
    mean_abs: float | None = None
    cosine: float | None = None
    """Cosine of the angle between both; 1 for equal ones; None as above, and if one of them is all zeros."""
    snr_db: float | None = None
    """10 log10 of the power before over the power of the difference; None as above, and without a difference."""
    note: str = ""
    """Reason why there is no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Facts of one file."""

    path: str
    num_bytes: int
    num_nodes: int
    producer: str
    macs: int
    num_uncounted: int
    """Number of multiplying nodes whose MACs are unknown."""
    open_axes: tuple[str, ...]
    """Axes of the inputs without a fixed size."""
    uncounted: tuple[str, ...]
    """Reasons why nodes are not counted, each once."""
    sizes: tuple[tuple[str, int], ...]
    """(open axis, extent) assumed for `macs`."""
    num_choices: int
    """Number of If nodes of which the branch with more multiply-accumulates is counted."""
    initializer_bytes: int
    dtypes: tuple[tuple[str, int, int], ...]
    """(dtype, number of tensors, bytes) of stored tensors, including Constant nodes, largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingNodes:
    """Nodes of a difference, for display in a picture."""

    added: tuple[NodeRef, ...]
    removed: tuple[NodeRef, ...]
    changed: tuple[NodeChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Difference of two files."""

    before: Side
    after: Side
    general: tuple[Change, ...]
    """Inputs, outputs, opsets, producer, IR version."""
    added: tuple[NodeRef, ...]
    removed: tuple[NodeRef, ...]
    changed: tuple[NodeChange, ...]
    num_same: int
    num_renamed: int
    """Number of nodes that were matched under another name."""
    operators: tuple[tuple[str, int, int], ...]
    """(operator, before, after) of operators whose number differs, largest difference first."""
    tensors: tuple[TensorChange, ...] = ()
    """Tensors on both sides, largest relative error first."""
    tensors_added: tuple[str, ...] = ()
    tensors_removed: tuple[str, ...] = ()
    quantization_parameters: tuple[str, ...] = ()
    """New scales and zero points."""
    are_weights_compared: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs, including compared weights; file sizes may differ."""
        return not (
            self.general
            or self.added
            or self.removed
            or self.changed
            or self.tensors_added
            or self.tensors_removed
            or self.quantization_parameters
            or any(not t.is_equal for t in self.tensors)
        )


def tensor_errors(difference: Difference) -> dict[str, float]:
    """Return tensor after -> dB, of the weights that were quantized; for `errors`."""
    return {
        t.other: t.snr_db
        for t in difference.tensors
        if t.snr_db is not None and t.is_dequantized[1]
    }
