"""Weights packed in blocks by ONNX Runtime's operators: MatMulNBits, MatMulBnb4 and GatherBlockQuantized."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

FP4: Final = tuple(
    sign * value for sign in (1, -1) for value in (0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4)
)
"""Values of the codes 0 to 15 of MatMulBnb4 with quant_type 0 (bitsandbytes' FP4)."""
NF4: Final = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
    *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941),
    *(0.7229568362236023, 1.0),
)
"""Same with quant_type 1: the normal distribution's quantiles (Dettmers et al., QLoRA, 2023)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Packing of the integers of one tensor, and their division into blocks with one scale each."""

    shape: tuple[int, ...]
    """Shape of the unpacked tensor."""
    bits: int
    block: int
    axis: int
    """Axis that is divided into blocks."""
    table: tuple[float, ...] = ()
    """Values of the codes of MatMulBnb4, whose bytes have the first code in their high bits and which stores all rows
    one after the other; empty: the codes are numbers.
    """

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
        """Code of zero if the operator has no zero points; codes with a table have none."""
        return 0 if self.table else 1 << self.bits - 1

    def unpacked_zero_points(self, packed: Any) -> Any:
        """Return one number per block for zero points that are packed like the weights, a row at a time."""
        rows, blocks = self.scales_shape
        return _codes(packed.reshape(rows, -1), self.bits)[:, :blocks].astype("f4")


def unpacked_rows(array: Any, packing: Packing) -> Any:
    """Return the codes of some rows of a packed tensor as float32, in rows of the unpacked tensor."""
    import numpy as np

    rows = array.reshape(len(array), -1)
    if packing.table:
        found = _pairs_of(packing.table).take(rows, mode="clip").view(np.float32)
    elif packing.bits in (2, 4):
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


@cache
def _pairs_of(table: tuple[float, ...]) -> Any:
    """Return for each byte the two values of a table of 16, as one element of a wider type."""
    import numpy as np

    values, byte = np.array(table, np.float32), np.arange(256)
    return np.stack([values[byte >> 4], values[byte & 15]], axis=1).view("f8").reshape(-1)


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
