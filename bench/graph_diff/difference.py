"""How two graphs differ, as a record."""

from __future__ import annotations

from dataclasses import dataclass

from bench.onnx_graph.record import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not the same on both sides."""

    what: str
    """attribute, shape, dtype, operator, input, output, producer, opset, ir version."""
    name: str
    """Of the attribute, the value, the domain; empty when there is but one."""
    before: str
    """Empty where it is not there."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRef:
    """A node on one side alone."""

    key: str
    operator: str
    scope: str
    outer: str
    """Key of the node of the main graph around it; empty in the main graph."""

    @property
    def drawn(self) -> str:
        """Key of the node that a picture shows for it."""
        return self.outer or self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """A node on both sides that is not the same."""

    before: NodeRef
    after: NodeRef
    matched_by: str
    """name, structure (operator, scope and producers) or outputs."""
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorChange:
    """The weights of one tensor on both sides, compared in the float domain."""

    name: str
    """Its name before."""
    other: str
    """Its name after."""
    dtypes: tuple[str, str]
    shapes: tuple[Shape, Shape]
    num_bytes: tuple[int, int]
    is_dequantized: tuple[bool, bool]
    """Integers that were multiplied by their scale before they were compared."""
    digests: tuple[str, str] = ("", "")
    """Of type, shape and elements."""
    is_equal: bool = False
    """Type, shape and every byte are the same, those of scale and zero point too."""
    max_abs: float | None = None
    """Largest absolute difference; None when the shapes differ or an element is not finite."""
    mean_abs: float | None = None
    cosine: float | None = None
    """Of the angle between both; 1 for equal ones; None as above, and when one of them is all zeros."""
    snr_db: float | None = None
    """10 log10 of the power before over the power of the difference; None as above, and when there is no difference."""
    note: str = ""
    """Why there is no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Facts of one file."""

    path: str
    num_bytes: int
    num_nodes: int
    producer: str
    macs: int
    num_uncounted: int
    """Nodes that multiply, but how much is not known."""
    open_axes: tuple[str, ...]
    """The inputs' axes without a fixed size."""
    uncounted: tuple[str, ...]
    """Why nodes are not counted, each reason once."""
    sizes: tuple[tuple[str, int], ...]
    """(open axis, extent) as taken for `macs`."""
    num_choices: int
    """If nodes of which the branch with more multiply-accumulates is counted."""
    initializer_bytes: int
    dtypes: tuple[tuple[str, int, int], ...]
    """(dtype, tensors, bytes) of what is stored, in Constant nodes too, largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingNodes:
    """The nodes of a difference: what a picture shows of it."""

    added: tuple[NodeRef, ...]
    removed: tuple[NodeRef, ...]
    changed: tuple[NodeChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two files side by side."""

    before: Side
    after: Side
    general: tuple[Change, ...]
    """Inputs, outputs, opsets, producer, IR version."""
    added: tuple[NodeRef, ...]
    removed: tuple[NodeRef, ...]
    changed: tuple[NodeChange, ...]
    num_same: int
    num_renamed: int
    """Nodes that were matched under another name."""
    operators: tuple[tuple[str, int, int], ...]
    """(operator, before, after) of those whose number differs, largest difference first."""
    tensors: tuple[TensorChange, ...] = ()
    """Those on both sides, largest relative error first."""
    tensors_added: tuple[str, ...] = ()
    tensors_removed: tuple[str, ...] = ()
    quantization_parameters: tuple[str, ...] = ()
    """Scales and zero points that are new."""
    are_weights_compared: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs, weights included where they were compared; the size of the files may."""
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
    """Tensor after -> dB, of the weights that were quantized; for `errors`."""
    return {
        t.other: t.snr_db
        for t in difference.tensors
        if t.snr_db is not None and t.is_dequantized[1]
    }
