"""Numeric comparison of two streams of numbers: largest and mean difference, cosine, signal to noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, log10, sqrt
from typing import Any, Final

CHUNK: Final = 1 << 16
"""Elements compared at once: few enough to stay in the processor's cache."""
ROW: Final = 1024
"""Products that are summed in single precision before their sum is added in double precision."""
LEAST: Final = 1e-20
MOST: Final = 1e30
"""Sums of squares within which single precision loses nothing to underflow or overflow."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How far apart two streams are; None where that has no value."""

    max_abs: float
    mean_abs: float
    cosine: float | None
    snr_db: float | None


@dataclass(slots=True)
class _Sums:
    """Of x, and of d, the difference from x."""

    noise: float
    both: float
    power: float
    largest: float
    total: float


class Meter:
    """Compares streams, one pair at a time; its memory is made once: new memory costs more than the arithmetic."""

    def __init__(self) -> None:
        import numpy as np

        self._room = np.empty((2, CHUNK))

    def compare(self, chunks: Iterable[tuple[Any, Any]]) -> Compared | None:
        """Return the comparison of flat arrays of equal size, or None if one holds NaN or infinity."""
        found = _Sums(0.0, 0.0, 0.0, 0.0, 0.0)
        count = 0
        for a, b in chunks:
            x, y = _real(a), _real(b)
            count += x.size
            for low in range(0, x.size, CHUNK):
                part = self._sums(x[low : low + CHUNK], y[low : low + CHUNK])
                if part is None:
                    return None
                found.noise += part.noise
                found.both += part.both
                found.power += part.power
                found.total += part.total
                found.largest = max(found.largest, part.largest)
        noise, power, both = found.noise, found.power, found.both
        # With b = a + d: a.b = a.a + a.d and b.b = a.a + 2 a.d + d.d.
        scale = sqrt(power) * sqrt(max(0.0, power + 2 * both + noise))
        cosine = max(-1.0, min(1.0, (power + both) / scale)) if scale else None
        return Compared(
            found.largest,
            found.total / count if count else 0.0,
            1.0 if scale and not noise else cosine,
            10 * log10(power / noise) if noise and power else None,
        )

    def _sums(self, x: Any, y: Any) -> _Sums | None:
        if x.dtype == y.dtype == "f4" and (found := self._single(x, y)) is not None:
            return found
        import numpy as np

        wide, d = self._room[0, : x.size], self._room[1, : x.size]
        np.copyto(wide, x)
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(y, wide, out=d)
        noise = float(np.einsum("i,i->", d, d))
        if not isfinite(noise) and not np.isfinite(d).all():
            return None
        both, power = float(np.einsum("i,i->", wide, d)), float(np.einsum("i,i->", wide, wide))
        np.abs(d, out=d)
        return _Sums(noise, both, power, float(d.max(initial=0.0)), float(d.sum()))

    def _single(self, x: Any, y: Any) -> _Sums | None:
        """Return the sums in single precision, or None where that would not be exact enough."""
        import numpy as np

        d = self._room.view(np.float32)[1, : x.size]
        with np.errstate(all="ignore"):
            np.subtract(y, x, out=d)
            noise, power = _products(d, d), _products(x, x)
            if not (_is_exact(noise, d) and _is_exact(power, x)):
                return None
            both = _products(x, d)
            np.abs(d, out=d)
            return _Sums(noise, both, power, float(d.max(initial=0.0)), float(d.sum(dtype="f8")))


def _is_exact(squares: float, values: Any) -> bool:
    return LEAST < squares < MOST or (squares == 0 and not values.any())


def _products(x: Any, y: Any) -> float:
    import numpy as np

    whole = x.size // ROW * ROW
    rows = np.einsum("ij,ij->i", x[:whole].reshape(-1, ROW), y[:whole].reshape(-1, ROW))
    return float(rows.sum(dtype="f8")) + float(np.einsum("i,i->", x[whole:], y[whole:]))


def _real(part: Any) -> Any:
    """Return a flat array; for complex numbers the real and the imaginary parts alternate."""
    flat = part.reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat
