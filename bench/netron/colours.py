"""Colours of nodes: a heat scale by share, and a readable text colour."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Final

STEPS: Final = ("#fff4c9", "#ffe08a", "#fdbe5c", "#f7933e", "#e5602d", "#c22f23", "#8c1120")
"""Scale from almost nothing to the largest share; also distinguishable by brightness alone."""
LEAST: Final = 0.001
"""Shares below this have no colour."""


def heat(values: Mapping[str, float | None]) -> dict[str, str]:
    """Return node -> colour by its share of the total; shares below a thousandth have none.

    The scale uses the square root of value / largest value, so that medium shares differ too.
    """
    known = {k: v for k, v in values.items() if v is not None and isfinite(v) and v > 0}
    whole, largest = sum(known.values()), max(known.values(), default=0.0)
    return {
        key: STEPS[round(sqrt(value / largest) * (len(STEPS) - 1))]
        for key, value in known.items()
        if value >= LEAST * whole
    }


def ink_on(colour: str) -> str:
    """Return black or white, whichever has more contrast on `#rrggbb`; black for anything else."""
    digits = colour.removeprefix("#")
    try:
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    except ValueError:
        return "#000"
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    # Luminance of equal contrast: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#fff"
