"""The memory of the card: found, given as a number, or looked up by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.fit.shape import Interval

GIB = 1 << 30
RESERVED = 0.07
"""Share of the memory on the label that error correction and the driver may keep: an L4 of 24 GB shows 22.5 GiB."""
LARGEST_GB = 1000
"""A plain number from here on is the name of a card."""

CARDS: dict[str, float] = {
    "gtx 1080 ti": 11, "gtx 1080": 8, "gtx 1660": 6, "rtx 2060": 6, "rtx 2070": 8, "rtx 2080 ti": 11, "rtx 2080": 8,
    "rtx 3050": 8, "rtx 3060 ti": 8, "rtx 3060": 12, "rtx 3070": 8, "rtx 3080 ti": 12, "rtx 3080": 10,
    "rtx 3090": 24, "rtx 4060 ti": 8, "rtx 4060": 8, "rtx 4070": 12, "rtx 4070 ti super": 16,
    "rtx 4080": 16, "rtx 4090": 24, "rtx 5060": 8, "rtx 5070": 12, "rtx 5070 ti": 16, "rtx 5080": 16, "rtx 5090": 32,
    "rtx a4000": 16, "rtx a5000": 24, "rtx a6000": 48, "a6000": 48, "rtx 6000 ada": 48, "rtx pro 6000": 96,
    "t4": 16, "p100": 16, "v100": 16, "a10": 24, "a10g": 24, "a16": 16, "a30": 24, "a40": 48, "a100": 40,
    "l4": 24, "l40": 48, "l40s": 48, "h100": 80, "h200": 141, "gh200": 96, "h20": 96, "b200": 180, "b300": 270,
    "gb10": 128, "mi210": 64, "mi250": 128, "mi300x": 192, "mi325x": 256, "mi355x": 288,
}  # fmt: skip
"""Name in lower case -> GB on the maker's page; of several variants the smallest: `A100-80GB` says 80 itself."""


class UnknownCard(ValueError):
    """A name that the table does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card."""

    name: str
    memory: Interval
    """Bytes that a program can use."""
    free: float | None = None
    """Bytes that are free now, where it was asked."""


def named(text: str) -> Card:
    """Return the card of a name, or of a number of GB. Raises UnknownCard with the nearest names."""
    number = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(gi?b)?\s*", text, re.IGNORECASE)
    if number and (number[2] or float(number[1]) < LARGEST_GB):
        # Whoever gives a number means it.
        return Card(name=f"{number[1]} GiB", memory=Interval.exact(float(number[1]) * GIB))
    plain = re.sub(r"[-_/]+", " ", text.lower())
    said = re.search(r"(\d{2,3})\s*gi?b\b", plain)
    plain = re.sub(
        r"\b(?:nvidia|geforce|tesla|amd|radeon|instinct|sxm\d?|pcie|nvl|hbm\d\w?|\d+\s*gi?b)\b",
        " ",
        plain,
    )
    plain = " ".join(plain.split())
    # The bare number of a series, as in "4090".
    plain = next(
        (f"{line} {plain}" for line in ("rtx", "gtx") if f"{line} {plain}" in CARDS), plain
    )
    if plain not in CARDS:
        import difflib

        near = difflib.get_close_matches(plain, CARDS, n=3, cutoff=0.5)
        hint = f"; near are {', '.join(near)}" if near else ""
        raise UnknownCard(
            f"--gpu {text!r}: no such card in the table{hint}; or give its GB, such as --gpu 24"
        )
    size = float(said[1]) if said else CARDS[plain]
    return Card(name=text, memory=Interval(low=size * GIB * (1 - RESERVED), high=size * GIB))


def found() -> tuple[Card, ...]:
    """Return the cards of this machine, as the driver reports them."""
    from diagnostics.gather import gather

    return tuple(
        Card(
            name=gpu.name,
            memory=Interval.exact(gpu.memory_total),
            free=gpu.memory_free if gpu.memory_free >= 0 else None,
        )
        for gpu in gather(quick=True, commit=False).gpus
        if gpu.memory_total
    )
