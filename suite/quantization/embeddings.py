"""Worker side. Embedding tables in 8 bits: a scale per row, and a single table if the last layer is tied to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from suite.quantization.nodes import drop_unused, scope_note
from suite.quantization.prepare import Prepared, restore_scopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_BYTES: Final = 4096
"""Smaller tables stay float: the additional nodes of a quantized one take as many bytes."""

ROWS: Final = "_rows"
ROW_SCALE: Final = "_rows_scale"
"""Suffix appended to a table's name."""

QUANTIZED: Final = "_quantized"
SCALE: Final = "_scale"
ZERO: Final = "_zero_point"
"""Suffix that onnxruntime.quantization appends to the name of a weight."""


def tables_in(
    graph: Path, output: Path, prepared: Prepared, *, has_tables: bool = True
) -> list[str]:
    """Write a file made from a prepared graph to `output`, with its nodes' module names; quantize its embeddings before
    if `has_tables`, and return those.
    """
    import onnx

    model = onnx.load(graph)
    restore_scopes(prepared.model, model)
    tables = []
    if has_tables:
        base = str(prepared.path.parent)
        tables = quantize_embeddings(prepared.model, model, prepared.excluded, base=base)
    onnx.save(model, output)
    return tables


def quantize_embeddings(
    prepared: Any, model: Any, excluded: Collection[str] = (), *, base: str = ""
) -> list[str]:
    """Convert the tables of Gather nodes to int8 with a scale per row; return the tables' names.

    `prepared` is the graph before its other weights were quantized, with `base` as the folder of weights that lie
    beside it, `model` the one after, which is changed.
    Gather(table, ids) becomes Cast(Gather(bytes, ids)) * Gather(scales, ids). If a quantized weight is the same table
    transposed (a language model's last layer), the bytes are stored once and that weight becomes their Transpose, which
    ONNX Runtime folds when it loads the graph.
    """
    import onnx
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    lookups: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if node.op_type == "Gather" and node.name not in excluded and _is_table(node, stored):
            lookups.setdefault(node.input[0], []).append(node)
    new: list[Any] = []
    for name, nodes in lookups.items():
        table = numpy_helper.to_array(stored[name])
        tied = next(_tied(table, prepared, stored, base), None)
        values, scales = quantize_rows(table) if tied is None else _shared(tied, stored)
        new += [
            numpy_helper.from_array(values, name + ROWS),
            numpy_helper.from_array(scales, name + ROW_SCALE),
        ]
        if tied is not None:
            weight = stored[tied + QUANTIZED]
            model.graph.initializer.remove(weight)
            model.graph.node.insert(
                0,
                onnx.helper.make_node(
                    "Transpose", [name + ROWS], [weight.name], f"{tied}_tied", perm=[1, 0]
                ),
            )
        for node in nodes:
            _replace(model, node, name)
    model.graph.initializer.extend(new)
    drop_unused(model, lookups)
    return list(lookups)


def quantize_rows(table: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 values [rows, width] and scales [rows, 1]: the largest magnitude of a row becomes 127, a row of zeros
    gets the scale 1.
    """
    largest = np.abs(table).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    return np.clip(np.rint(table / scales), -127, 127).astype(np.int8), scales


def _is_table(node: Any, stored: dict[str, Any]) -> bool:
    import onnx

    table = stored.get(node.input[0])
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    return (
        table is not None
        and table.data_type == onnx.TensorProto.FLOAT
        and len(table.dims) == 2
        and axis == 0
        and 4 * table.dims[0] * table.dims[1] >= LEAST_BYTES
    )


def _tied(
    table: NDArray[Any], prepared: Any, stored: dict[str, Any], base: str = ""
) -> Iterator[str]:
    """Yield the names of the weights that are this table transposed, quantized to int8 symmetrically per column."""
    from onnx import numpy_helper

    for tensor in prepared.graph.initializer:
        if tuple(tensor.dims) != table.shape[::-1] or tensor.name + QUANTIZED not in stored:
            continue
        zeros = numpy_helper.to_array(stored[tensor.name + ZERO])
        scales = numpy_helper.to_array(stored[tensor.name + SCALE])
        is_shareable = zeros.dtype == np.int8 and not zeros.any() and scales.size == len(table)
        if is_shareable and np.array_equal(numpy_helper.to_array(tensor, base).T, table):
            yield tensor.name


def _shared(tied: str, stored: dict[str, Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the weight's bytes and scales in the layout of the table."""
    from onnx import numpy_helper

    values = np.ascontiguousarray(numpy_helper.to_array(stored[tied + QUANTIZED]).T)
    return values, numpy_helper.to_array(stored[tied + SCALE]).reshape(-1, 1)


def _replace(model: Any, node: Any, table: str) -> None:
    """Replace the node that looks up the float table by the nodes that look up the quantized one."""
    import onnx

    out, ids = node.output[0], node.input[1]
    at = next(i for i, other in enumerate(model.graph.node) if other.name == node.name)
    model.graph.node.remove(node)
    float32 = onnx.TensorProto.FLOAT
    lines: tuple[tuple[str, list[str], str, dict[str, int]], ...] = (
        ("Gather", [table + ROWS, ids], f"{out}_bytes", {"axis": 0}),
        ("Cast", [f"{out}_bytes"], f"{out}_cast", {"to": float32}),
        ("Gather", [table + ROW_SCALE, ids], f"{out}_row_scale", {"axis": 0}),
        ("Mul", [f"{out}_cast", f"{out}_row_scale"], out, {}),
    )
    for i, (operator, inputs, output, attributes) in enumerate(lines):
        made = onnx.helper.make_node(
            operator, inputs, [output], f"{node.name}_{operator}_{i}", **attributes
        )
        if (note := scope_note(node)) is not None:
            made.metadata_props.append(note)
        model.graph.node.insert(at + i, made)
