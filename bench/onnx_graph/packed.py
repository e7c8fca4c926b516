"""Weights packed in blocks by ONNX Runtime's operators: MatMulNBits and GatherBlockQuantized."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Packing of the integers of one tensor, and their division into blocks with one scale each."""

    shape: tuple[int, ...]
    """Shape of the unpacked tensor."""
    bits: int
    block: int
    axis: int
    """Axis that is divided into blocks."""

    @property
    def num_blocks(self) -> int:
        """Number of blocks along the axis."""
        return -(-self.shape[self.axis] // self.block)

    @property
    def scales_shape(self) -> tuple[int, ...]:
        """Shape of the scales."""
        places = range(len(self.shape))
        return tuple(self.num_blocks if n == self.axis else self.shape[n] for n in places)

    @property
    def default_zero_point(self) -> int:
        """Code of zero if the operator has no zero points."""
        return 1 << self.bits - 1

    def unpacked_zero_points(self, packed: Any) -> Any:
        """Return one number per block for zero points that are packed like the weights, a row at a time."""
        rows, blocks = self.scales_shape
        return _codes(packed.reshape(rows, -1), self.bits)[:, :blocks].astype("f4")


def unpacked_rows(array: Any, packing: Packing) -> Any:
    """Return the codes of some rows of a packed tensor as float32, in rows of the unpacked tensor."""
    import numpy as np

    rows = array.reshape(len(array), -1)
    if packing.bits in (2, 4):
        found = _codes_of_bytes(packing.bits).take(rows, mode="clip").view(np.float32)
    else:
        found = _codes(rows, packing.bits).astype(np.float32)
    return found[:, : packing.shape[1]]


@cache
def _codes_of_bytes(bits: int) -> Any:
    """Return for each byte its codes as float32, side by side in one element of a wider type."""
    import numpy as np

    each = 8 // bits
    table = _codes(np.arange(256, dtype=np.uint8)[:, None], bits).astype(np.float32)
    return np.ascontiguousarray(table).view("f8" if each == 2 else "c16").reshape(-1)


def _codes(rows: Any, bits: int) -> Any:
    """Return the codes in rows of bytes, as uint8: the first in the lowest bits of the first byte."""
    import numpy as np

    if bits in (1, 2, 4, 8):
        each = 8 // bits
        codes = np.empty((len(rows), rows.shape[1] * each), np.uint8)
        for number in range(each):
            np.right_shift(rows, number * bits, out=codes[:, number::each])
        codes &= np.uint8((1 << bits) - 1)
        return codes
    flags = np.unpackbits(rows, axis=1, bitorder="little")
    flags = flags[:, : flags.shape[1] // bits * bits].reshape(len(rows), -1, bits)
    return (flags << np.arange(bits, dtype=np.uint8)).sum(axis=2, dtype=np.uint8)
