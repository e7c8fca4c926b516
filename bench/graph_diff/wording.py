"""Wording of a comparison: one sentence for the whole, short texts for its parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bench.graph_diff.difference import Change, Difference, NodeChange, Side, TensorChange
from bench.onnx_graph.reasons import AXIS
from suite import units

LONGEST: Final = 120
"""Maximum number of displayed characters of a name."""
REASONS: Final = 2
"""Maximum number of displayed reasons for uncounted nodes."""
SIZES: Final = 4
"""Maximum number of displayed sizes of open axes."""
_COMMANDS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that would control a terminal or change the direction of following text."""


def headline(difference: Difference) -> str:
    """Return `2 nodes added, 17 removed, 3 changed, 30 the same`, or that nothing differs."""
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
    """Return the text in one line without control characters, its middle left out beyond `limit` characters."""
    line = _COMMANDS.sub("\ufffd", " ".join(text.split()))
    if len(line) <= limit:
        return line
    half = (limit - 1) // 2
    return f"{line[:half]}…{line[-half:]}"


def change_text(change: Change) -> str:
    """Return a change as text, e.g. `attribute group: 1 → 2`."""
    what = f"{change.what} {shortened(change.name, 60)}".strip()
    before, after = (shortened(side, 60) or "–" for side in (change.before, change.after))
    return f"{what}: {before} → {after}"


def changes_text(node: NodeChange) -> str:
    """Return all changes of a node in one line."""
    return "; ".join(change_text(change) for change in node.changes)


def macs_text(side: Side) -> str:
    """Return `1.81 GMAC at batch=1`, with what could not be counted and why."""
    text = units.scaled_count(side.macs, "MAC")
    if side.sizes:
        text += f" at {sizes_text(side.sizes)}"
    if side.num_choices:
        what = "1 If" if side.num_choices == 1 else f"{side.num_choices:,} Ifs"
        text += f", the larger branch of {what}"
    if not side.num_uncounted:
        return text
    sized = {name for name, _ in side.sizes}
    axes = [name for name in side.open_axes if name not in sized]
    wanted = [name for name in axes if any(_asks_for(reason, name) for reason in side.uncounted)]
    why = (
        [f"say --axes {','.join(f'{shortened(n, 20)}=SIZE' for n in wanted[:4])}"] if wanted else []
    )
    others = [reason for reason in side.uncounted if not reason.startswith(AXIS)]
    why += [shortened(reason) for reason in others[:REASONS]]
    if len(others) > REASONS:
        why.append(f"{len(others) - REASONS} more reasons")
    counted = text if side.macs else "not counted"
    return f"{counted}; {_nodes(side.num_uncounted)} open: {'; '.join(why)}"


def sizes_text(sizes: Sequence[tuple[str, int]]) -> str:
    """Return `batch=1, sequence=128`, limited to the first SIZES."""
    shown = [f"{shortened(name, 20)}={size}" for name, size in sizes[:SIZES]]
    return ", ".join([*shown, *(["…"] if len(sizes) > SIZES else [])])


def _asks_for(reason: str, axis: str) -> bool:
    return reason.startswith(AXIS) and axis in reason.removeprefix(AXIS).split(", ")


def dtypes_text(side: Side) -> str:
    """Return the dtypes as text, e.g. `float 2.80 MB, int8 702 kB`."""
    return ", ".join(f"{name} {units.num_bytes(size)}" for name, _, size in side.dtypes) or "none"


def tensor_dtypes(tensor: TensorChange) -> str:
    """Return `float → int8`, or one dtype if both are the same."""
    before, after = tensor.dtypes
    return before if before == after else f"{before} → {after}"


def number(value: float | None, digits: int = 3) -> str:
    """Return the number with few significant figures, in exponent form if shorter; empty for None."""
    return "" if value is None else f"{value:.{digits}g}"


def cosine_text(value: float | None) -> str:
    """Return six decimals: relevant digits follow the nines."""
    return "" if value is None else f"{value:.6f}"


def _nodes(num: int) -> str:
    return f"{num:,} node{'' if num == 1 else 's'}"
