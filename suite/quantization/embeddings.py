"""Worker side. Embedding tables in 8 bits: a scale per row, and one table where the last layer is tied to it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

LEAST_BYTES: Final = 4096
"""Smaller tables stay: the nodes that a quantized one needs take as much."""


def quantize_embeddings(model: Any, excluded: set[str]) -> list[str]:
    """Turns the tables of Gather nodes into signed bytes with a scale per row, in place; the tables' names.

    Gather(table, ids) becomes Cast(Gather(bytes, ids)) * Gather(scales, ids). A MatMul's quantized weight that is the
    same table transposed, with the same scale per column, is replaced by a Transpose of the bytes, which ONNX Runtime
    folds when it opens the graph: tied weights are stored once. Rows have the largest magnitude at 127; a row of zeros
    has the scale 1.
    """
