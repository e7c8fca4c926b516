"""Formatting of seconds, bytes, rates and counts: scaled, with three significant figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

ABSENT: Final = "-"
SIGNIFICANT: Final = 3
ROUNDS_UP: Final = 0.9995
"""Least share of a unit that three figures round to one of it: 999.7 ms is 1.00 s, not 1,000 ms."""

_TIME: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_DECIMAL: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def seconds(value: float | None) -> str:
    """Return e.g. `12.3 ms`; from two minutes on `2 min 5 s`."""
    if value is not None and math.isfinite(value) and abs(value) >= 119.5:
        minutes, rest = divmod(round(abs(value)), 60)
        return f"{'-' if value < 0 else ''}{minutes} min {rest} s"
    return _scaled(value, _TIME, "")


def decade(value: float) -> str:
    """Return e.g. `100 ms`: a power of ten in seconds, without decimals."""
    return seconds(value).replace(".00", "").replace(".0 ", " ")


def num_bytes(value: float | None) -> str:
    """Return e.g. `1.42 GB`; decimal prefixes, 1 kB = 1000 B."""
    return _scaled(value, _DECIMAL, "B")


def rate(value: float | None, what: str = "samples") -> str:
    """Return e.g. `81.3 samples/s` or `12,300 tokens/s`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{significant(value)} {what}/s"


def count(value: float | None) -> str:
    """Return e.g. `101,770`: whole, with thousands separated."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{round(value):,}"


def plural(number: float, noun: str) -> str:
    """Return e.g. `1 cell` or `2 cells`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def scaled_count(value: float | None, what: str) -> str:
    """Return e.g. `1.81 GMAC`, or `11.7 M` with an empty `what`."""
    return _scaled(value, _DECIMAL, what)


def percent(share: float | None, *, sign: bool = False) -> str:
    """Return e.g. `1.4%` for 0.014; `+1.4%` with `sign`."""
    if share is None or not math.isfinite(share):
        return ABSENT
    number = 100 * share
    digits = 2 if 0 < abs(number) < 0.095 else 1 if abs(number) < 9.95 else 0
    return f"{number:{'+' if sign else ''}.{digits}f}%"


def half_width(share: float | None) -> str:
    """Return half of an interval as a share of its middle, e.g. `±1.4%`; `>±100%` for one that says nothing more, and
    nothing without an interval.
    """
    if share is None or not math.isfinite(share):
        return ""
    return f"±{percent(share)}" if share <= 1 else ">±100%"


def shown(value: float | None, unit: str, what: str = "samples") -> str:
    """Format a value by its unit: s, B, 1 (a count), 1/s (a rate of `what`), MAC, B/iteration.

    Raise ValueError for an unknown unit.
    """
    match unit:
        case "s":
            return seconds(value)
        case "B":
            return num_bytes(value)
        case "B/iteration":
            text = num_bytes(value)
            return text if text == ABSENT else f"{text}/iteration"
        case "1":
            return count(value)
        case "MAC":
            return scaled_count(value, "MAC")
        case "1/s":
            return rate(value, what)
    raise ValueError(f"unit {unit!r} has no words; expected s, B, B/iteration, 1, MAC or 1/s")


def significant(value: float, digits: int = SIGNIFICANT) -> str:
    """Return the number with `digits` significant figures and no exponent: 81.3, 0.0123, 12,300."""
    if not value:
        return "0"
    order = math.floor(math.log10(abs(value)))
    rounded = round(value, digits - 1 - order)
    order = math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, digits - 1 - order)}f}"


def _scaled(value: float | None, scales: Sequence[tuple[float, str]], unit: str) -> str:
    if value is None or not math.isfinite(value):
        return ABSENT
    if not value:
        base = next(prefix for scale, prefix in scales if scale == 1.0)
        return f"0 {base}{unit}".strip()
    size = abs(value)
    for scale, prefix in scales:  # noqa: B007
        number = size / scale
        if number >= ROUNDS_UP:
            break
    if scale == 1.0 and unit == "B":
        return f"{round(value)} B"
    if ROUNDS_UP <= number < 999.5:
        digits = f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}"
        return f"{'-' if value < 0 else ''}{digits} {prefix}{unit}".rstrip()
    return f"{significant(value / scale)} {prefix}{unit}".strip()
