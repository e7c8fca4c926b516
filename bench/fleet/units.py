"""Units of a fleet's work: the cells that have to be measured on the same node, with their steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.pairs import place_of
from bench.steps import MEASURING, STEPS
from suite.cell import Cell
from suite.engine.steps import typical_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One model at one size, device and extent on all its backends, dtypes and states: they are compared in turns."""

    name: str
    """Id of the place that its cells share; unique within a run."""
    steps: tuple[tuple[Cell, str], ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, in order."""
        return tuple(dict.fromkeys(cell for cell, _ in self.steps))

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the records that the unit owes."""
        return tuple(f"{cell.id}/{step}" for cell, step in self.steps)

    @property
    def is_timed(self) -> bool:
        """Whether anything of it is measured: then nothing else may go on at the node."""
        measuring = {row.name for row in MEASURING}
        return any(step.partition(":")[0] in measuring for _, step in self.steps)

    @property
    def device(self) -> str:
        """Device that its cells run on."""
        return self.steps[0][0].device


def units_of(planned: Iterable[tuple[Cell, str]]) -> tuple[Unit, ...]:
    """Return the planned steps as units, those that typically take longest first: no node is left with one alone."""
    groups: dict[str, list[tuple[Cell, str]]] = {}
    for cell, step in planned:
        groups.setdefault(unit_name(cell), []).append((cell, step))
    units = [Unit(name=name, steps=tuple(steps)) for name, steps in groups.items()]
    return tuple(sorted(units, key=lambda unit: -_seconds(unit.steps)))


def unit_name(cell: Cell) -> str:
    """Return the name of the unit that the cell belongs to."""
    return place_of(cell).id


def _seconds(steps: Sequence[tuple[Cell, str]]) -> float:
    return sum(typical_seconds(cell, step, STEPS) for cell, step in steps)
