"""Shows an answer as text or JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from diagnostics.finding_builders import gib
from diagnostics.fit.answer import Answer, Verdict
from diagnostics.fit.shape import Interval

SCHEMA = 1
"""1: first. Fields are only ever added under one number."""
MARKS = {Verdict.FITS: ("✓", "ok"), Verdict.TOO_LARGE: ("✗", "x"), Verdict.OPEN: ("?", "?")}


def document(answers: tuple[Answer, ...], exit_code: int) -> dict[str, Any]:
    """Return the JSON-able answers; bounds that are not known are null."""
    first = answers[0]
    return {
        "schema": SCHEMA,
        "tool": "torch-vitals fit",
        "exit_code": exit_code,
        "model": {
            "source": first.model.source,
            "parameters": _bounds(first.model.parameters),
            "counted_by": first.model.how,
            "notes": list(first.model.notes),
        },
        "use": asdict(first.use),
        "parts": [
            {"name": part.name, "bytes": _bounds(part.size), "formula": part.formula}
            for part in first.parts
        ],
        "needed_bytes": _bounds(first.needed),
        "cards": [
            {
                "name": item.card.name if item.card else None,
                "memory_bytes": _bounds(item.card.memory) if item.card else None,
                "free_bytes": item.card.free if item.card else None,
                "verdict": item.verdict.value,
                "fits_with": list(item.ways),
            }
            for item in answers
        ],
    }


def lines(answers: tuple[Answer, ...], *, unicode: bool = True) -> list[str]:
    """Return the answers as text."""
    first = answers[0]
    use = first.use
    what = f"training with {use.optimizer}" if use.training else "inference"
    found = [
        f"{first.model.source}: {_count(first.model.parameters)} parameters ({first.model.how})",
        f"{what}, {use.dtype}, context {use.context:,}, batch {use.batch}",
        "",
    ]
    width = max(len(part.name) for part in first.parts)
    for part in first.parts:
        found.append(f"  {part.name:{width}}  {_size(part.size):>22}  {part.formula}")
    found += [f"  {'needed':{width}}  {_size(first.needed):>22}", ""]
    for item in answers:
        sign = MARKS[item.verdict][0 if unicode else 1]
        card = f"{item.card.name} ({_size(item.card.memory)})" if item.card else "no card is known"
        found.append(f"[{sign}] {item.verdict.value}: {card}")
        if item.card and item.card.free is not None and item.card.free < item.needed.high:
            found.append(f"      of it {gib(item.card.free)} are free now")
        if item.card is None:
            found.append("      name one: --gpu NAME, or its GB: --gpu 24")
        found += [f"      fits with {way}" for way in item.ways]
    return [*found, *(f"note: {note}" for note in first.model.notes)]


def _bounds(size: Interval) -> dict[str, int | None]:
    return {
        "low": round(size.low),
        "high": None if math.isinf(size.high) else round(size.high),
    }


def _size(size: Interval) -> str:
    if size.is_exact:
        return gib(size.low)
    high = "more" if math.isinf(size.high) else gib(size.high)
    return f"{gib(size.low)} to {high}"


def _count(size: Interval) -> str:
    if size.is_exact:
        return f"{size.low:,.0f}"
    high = "more" if math.isinf(size.high) else f"{size.high:,.0f}"
    return f"{size.low:,.0f} to {high}"
