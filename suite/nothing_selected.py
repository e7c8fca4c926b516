"""Why `-k` left no test of a session: a sentence with the next step, from the selection and the table of steps."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from diagnostics.did_you_mean import did_you_mean
from suite.axes import BACKENDS
from suite.catalog import builtin_specs
from suite.cell import Cell
from suite.engine.steps import Step
from suite.spec import ModelSpec

OPERATORS: Final = ("and", "or", "not")
NAMED: Final = 4
"""Most models that are named."""


def why_nothing(
    keyword: str,
    steps: Collection[Step],
    cells: Sequence[Cell],
    specs: Mapping[str, ModelSpec],
) -> str:
    """Return why pytest's `-k KEYWORD` fits no step of these cells, and what to do.

    `steps` are those that the command has tests for.
    """
    words = [w for w in re.findall(r"[\w.-]+", keyword) if w not in OPERATORS]
    asked = [row for row in steps if any(word.lower() in f"test_{row.name}" for word in words)]
    for row in asked:
        if told := _why_not(row, cells, specs):
            return f"-k {keyword}: {told}"
    near = did_you_mean(words[0], [row.name for row in steps]) if words and not asked else ""
    return (
        f"-k {keyword}: fits no step and no cell of this selection{near};"
        " next: leave -k out and add --collect-only -q, which lists them"
    )


def _why_not(row: Step, cells: Sequence[Cell], specs: Mapping[str, ModelSpec]) -> str:
    """Return why none of the cells has the step; empty if one has."""
    placed = [cell for cell in cells if row.applies(cell)]
    if any(row.suits is None or row.suits(specs[cell.model]) for cell in placed):
        return ""
    models = _listed(list(specs))
    if placed and row.suits is not None:
        with_it = [spec.name for spec in builtin_specs() if row.suits(spec)]
        return f"{models}: no such step; next: --models {_listed(with_it)} (they have the step {row.name})"
    elsewhere = [
        name for name in BACKENDS if any(row.applies(replace(cell, backend=name)) for cell in cells)
    ]
    if elsewhere:
        return f"no selected backend has the step {row.name}; next: --backend {_listed(elsewhere)}"
    return f"no selected cell of {models} has the step {row.name}; next: leave out --variant, --backend and --dtype"


def _listed(names: Sequence[str]) -> str:
    return ",".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")
