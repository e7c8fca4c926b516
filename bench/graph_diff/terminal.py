"""Terminal output of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.graph_diff.compare import shape_text
from bench.graph_diff.difference import Difference, NodeRef, TensorChange
from bench.graph_diff.wording import (
    changes_text,
    cosine_text,
    dtypes_text,
    headline,
    macs_text,
    number,
    shortened,
    tensor_dtypes,
)
from suite import units

LISTED: Final = 30
"""Maximum number of rows of each list; JSON and HTML have all of them."""
NAME: Final = 48
"""Maximum length of a name in characters."""


def render(difference: Difference, console: Console) -> None:
    """Print the comparison."""
    console.print()
    console.print(Text(headline(difference), style="bold"))
    console.print()
    console.print(_sides(difference))
    _operators(difference, console)
    _nodes("Added", "+", "green", difference.added, console)
    _nodes("Removed", "-", "red", difference.removed, console)
    _changed(difference, console)
    _tensors(difference, console)
    console.print()


def _sides(difference: Difference) -> Table:
    before, after = difference.before, difference.after
    table = _table("", "before", "after")
    rows = [
        ("file", before.path, after.path),
        ("bytes", *(units.num_bytes(s.num_bytes) for s in (before, after))),
        ("weights", *(dtypes_text(s) for s in (before, after))),
        ("nodes", *(f"{s.num_nodes:,}" for s in (before, after))),
        ("MACs", macs_text(before), macs_text(after)),
    ]
    rows += [
        (shortened(f"{c.what} {c.name}".strip(), NAME), c.before or "–", c.after or "–")
        for c in difference.general[:LISTED]
    ]
    for label, left, right in rows:
        style = "" if left == right or label == "file" else "bold"
        table.add_row(
            Text(label, style="dim"), Text(shortened(left)), Text(shortened(right), style=style)
        )
    _rest(table, len(difference.general))
    return table


def _operators(difference: Difference, console: Console) -> None:
    if not difference.operators:
        return
    table = _table("operator", "before", "after", "", right=(1, 2, 3))
    for name, before, after in difference.operators[:LISTED]:
        change = after - before
        style = "green" if change > 0 else "red"
        table.add_row(
            Text(shortened(name, NAME)),
            f"{before:,}",
            f"{after:,}",
            Text(f"{change:+,}", style=style),
        )
    _rest(table, len(difference.operators))
    console.print()
    console.print(table)


def _nodes(title: str, sign: str, style: str, nodes: Sequence[NodeRef], console: Console) -> None:
    if not nodes:
        return
    table = _table(f"{title} ({len(nodes):,})", "operator", "module")
    for node in nodes[:LISTED]:
        table.add_row(
            Text(f"{sign} {shortened(node.key, NAME)}", style=style),
            Text(shortened(node.operator, NAME)),
            Text(shortened(node.scope, NAME), style="dim"),
        )
    _rest(table, len(nodes))
    console.print()
    console.print(table)


def _changed(difference: Difference, console: Console) -> None:
    if not difference.changed:
        return
    table = _table(f"Changed ({len(difference.changed):,})", "operator", "what")
    for node in difference.changed[:LISTED]:
        name = shortened(node.before.key, NAME)
        if bool(node.after.key != node.before.key) and node.matched_by != "name":
            name += f" → {shortened(node.after.key, NAME // 2)}"
        table.add_row(
            Text(f"~ {name}", style="yellow"),
            Text(shortened(node.before.operator, NAME)),
            Text(shortened(changes_text(node), 200)),
        )
    _rest(table, len(difference.changed))
    console.print()
    console.print(table)


def _tensors(difference: Difference, console: Console) -> None:
    differing = [t for t in difference.tensors if not t.is_equal]
    if differing:
        table = _table(
            f"Weights ({len(differing):,} differ)",
            "shape",
            "type",
            "largest Δ",
            "cosine",
            "SNR",
            right=(3, 4, 5),
        )
        for tensor in differing[:LISTED]:
            table.add_row(Text(shortened(tensor.name, NAME)), *_tensor_cells(tensor))
        _rest(table, len(differing))
        console.print()
        console.print(table)
        if any(t.is_dequantized[0] or t.is_dequantized[1] for t in differing):
            console.print(
                Text("Integers were dequantized by their scale and zero point first.", style="dim")
            )
    for title, names in (
        ("Tensors added", difference.tensors_added),
        ("Tensors removed", difference.tensors_removed),
        ("Scales and zero points added", difference.quantization_parameters),
    ):
        if names:
            console.print()
            console.print(Text.assemble((f"{title} ({len(names):,}): ", "dim"), _some(names)))


def _tensor_cells(tensor: TensorChange) -> Iterable[Text]:
    yield Text(shape_text(tensor.shapes[0]))
    yield Text(tensor_dtypes(tensor))
    if tensor.max_abs is None:
        yield Text(shortened(tensor.note, NAME), style="yellow")
        yield Text("")
        yield Text("")
        return
    yield Text(number(tensor.max_abs))
    yield Text(cosine_text(tensor.cosine))
    yield Text(f"{tensor.snr_db:.1f} dB" if tensor.snr_db is not None else "")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6:,} more" if len(names) > 6 else ""
    return ", ".join(shortened(name, NAME) for name in names[:6]) + more


def _table(*heads: str, right: Sequence[int] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place in right else "left", overflow="fold")
    return table


def _rest(table: Table, total: int) -> None:
    if total > LISTED:
        table.add_row(Text(f"… and {total - LISTED:,} more; --format json has all", style="dim"))
