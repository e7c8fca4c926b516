"""Warnings about a gate's run, one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.gate.arm import Arm
from bench.gate.row import Row


def notes_of(arms: Mapping[str, Arm], rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the warnings about a run: what differs besides the sources, and how undisturbed it was."""
    base = arms["base"].sources
    notes = [f"the arms' libraries differ: {text}"] if (text := _other_versions(arms)) else []
    if not base.takes_our_instruments:
        notes.append(
            f"{base.label} is too old for the instruments of this version and is measured by its own"
        )
    if base.sha and not base.changed:
        notes.append("the arms are the same sources: a difference here is the machine's")
    if base.uncommitted:
        shown = ", ".join(base.uncommitted[:5]) + (" ..." if len(base.uncommitted) > 5 else "")
        notes.append(f"head has uncommitted changes in {len(base.uncommitted)} files: {shown}")
    blocks = [b for row in rows for b in (*row.screen, *row.confirm)]
    kept = sum(b.are_voids_kept for b in blocks)
    if blocks and kept > len(blocks) / 3:
        notes.append(
            f"in {kept} of {len(blocks)} blocks nearly every turn was disturbed, so that all of them"
            " count: stop what else runs here, or use fewer --threads"
        )
    return tuple(notes)


def _other_versions(arms: Mapping[str, Arm]) -> str:
    """List the packages whose versions differ between the arms: `torch 2.14.0 → 2.15.0`."""
    base, head = arms["base"].versions, arms["head"].versions
    names = [name for name in {**base, **head} if base.get(name) != head.get(name)]
    return ", ".join(f"{n} {base.get(n, 'missing')} → {head.get(n, 'missing')}" for n in names)
