"""The words of a comparison: one sentence for the whole, short texts for its parts."""

from __future__ import annotations

import re
from typing import Final

from bench.graph_diff.difference import Change, Difference, NodeChange, Side, TensorChange
from suite import units

LONGEST: Final = 120
"""Characters of a name that are shown."""
_COMMANDS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that would command a terminal, or turn the direction of what follows."""


def headline(difference: Difference) -> str:
    """`2 nodes added, 17 removed, 3 changed, 30 the same`; or that nothing differs."""
    if difference.is_empty:
        what = "graphs and weights" if difference.are_weights_compared else "graphs"
        return f"The {what} are the same: {_nodes(difference.num_same)}"
    parts = [
        f"{_nodes(len(difference.added))} added",
        f"{len(difference.removed):,} removed",
        f"{len(difference.changed):,} changed",
        f"{difference.num_same:,} the same",
    ]
    if difference.are_weights_compared:
        num = sum(not t.is_equal for t in difference.tensors)
        parts.append(f"{num:,} of {len(difference.tensors):,} shared tensors differ")
    return ", ".join(parts)


def shortened(text: str, limit: int = LONGEST) -> str:
    """The text in one line that commands nothing, its middle left out beyond `limit` characters."""
    line = _COMMANDS.sub("\ufffd", " ".join(text.split()))
    if len(line) <= limit:
        return line
    half = (limit - 1) // 2
    return f"{line[:half]}…{line[-half:]}"


def change_text(change: Change) -> str:
    """`attribute group: 1 → 2`."""
    what = f"{change.what} {shortened(change.name, 60)}".strip()
    before, after = (shortened(side, 60) or "–" for side in (change.before, change.after))
    return f"{what}: {before} → {after}"


def changes_text(node: NodeChange) -> str:
    """All changes of a node, in one line."""
    return "; ".join(change_text(change) for change in node.changes)


def macs_text(side: Side) -> str:
    """`1.81 GMAC`, and what could not be counted."""
    text = units.scaled_count(side.macs, "MAC")
    if not side.num_uncounted:
        return text
    sizes = ",".join(f"{shortened(name, 20)}=SIZE" for name in side.open_axes[:4])
    why = f"say --axes {sizes}" if sizes else "shapes depend on the data"
    return f"{text if side.macs else 'not counted'}; {_nodes(side.num_uncounted)} open: {why}"


def dtypes_text(side: Side) -> str:
    """`float 2.80 MB, int8 702 kB`."""
    return ", ".join(f"{name} {units.num_bytes(size)}" for name, _, size in side.dtypes) or "none"


def tensor_dtypes(tensor: TensorChange) -> str:
    """`float → int8`, or one of them where both are the same."""
    before, after = tensor.dtypes
    return before if before == after else f"{before} → {after}"


def number(value: float | None, digits: int = 3) -> str:
    """Few significant figures, an exponent where it is shorter; empty for None."""
    return "" if value is None else f"{value:.{digits}g}"


def cosine_text(value: float | None) -> str:
    """Six decimals: what is interesting begins behind the nines."""
    return "" if value is None else f"{value:.6f}"


def scope_text(scope: str) -> str:
    """The module, or nothing."""
    return shortened(scope, 60)


def _nodes(num: int) -> str:
    return f"{num:,} node{'' if num == 1 else 's'}"
