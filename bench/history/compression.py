"""Lossless compression of samples."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

PLAIN: Final = b"\0"
SQUEEZED: Final = b"\1"
WIDTH: Final = 8
"""Bytes of a double."""


def pack(samples: Sequence[float]) -> bytes:
    """Compress the samples: little-endian doubles, transposed by byte position, deflated.

    Samples of one metric agree in sign, exponent and leading digits, so bytes of one position are similar.
    Plain doubles are kept if compression does not save space.
    """
    plain = struct.pack(f"<{len(samples)}d", *samples)
    squeezed = zlib.compress(b"".join(plain[place::WIDTH] for place in range(WIDTH)), 6)
    return SQUEEZED + squeezed if len(squeezed) < len(plain) else PLAIN + plain


def unpack(packed: bytes) -> tuple[float, ...]:
    """Return the samples that `pack` compressed. Raises ValueError for other bytes."""
    kind, body = packed[:1], packed[1:]
    if kind == SQUEEZED:
        try:
            sorted_bytes = zlib.decompress(body)
        except zlib.error as error:
            raise ValueError(f"packed samples are damaged: {error}") from error
        if len(sorted_bytes) % WIDTH:
            raise ValueError(
                f"packed samples are {len(sorted_bytes)} bytes, expected whole doubles"
            )
        count = len(sorted_bytes) // WIDTH
        plain = bytearray(len(sorted_bytes))
        for place in range(WIDTH):
            plain[place::WIDTH] = sorted_bytes[place * count : (place + 1) * count]
        body = bytes(plain)
    elif kind != PLAIN:
        raise ValueError(f"packed samples begin with {kind!r}, expected {PLAIN!r} or {SQUEEZED!r}")
    if len(body) % WIDTH:
        raise ValueError(f"packed samples are {len(body)} bytes, expected whole doubles")
    return struct.unpack(f"<{len(body) // WIDTH}d", body)
