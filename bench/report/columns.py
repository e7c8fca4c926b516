"""Columns of a table on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its header, which may have several lines, and a text per row."""

    title: str
    cells: list[Text]
    is_number: bool = True

    @property
    def width(self) -> int:
        """Characters of the widest line."""
        heads = (Text(line) for line in self.title.split("\n"))
        return max(cell.cell_len for cell in (*heads, *self.cells))


def drawn(columns: Mapping[str, Column]) -> Table:
    """Return the columns side by side, in their order."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    for column in columns.values():
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            vertical="bottom",
        )
    for cells in zip(*(column.cells for column in columns.values()), strict=True):
        table.add_row(*cells)
    return table


def fitting(
    columns: Mapping[str, Column], width: int, order: Iterable[str], *, least: int
) -> dict[str, Column]:
    """Return the columns that fit into `width` characters, taken in the given order of importance.

    The first of them is always included, and may be shortened to `least` characters.
    """
    taken: set[str] = set()
    used = 0
    for name in order:
        if name not in columns:
            continue
        need = (columns[name].width if taken else min(columns[name].width, least)) + 2
        if taken and used + need > width:
            break
        taken.add(name)
        used += need
    return {name: column for name, column in columns.items() if name in taken}
