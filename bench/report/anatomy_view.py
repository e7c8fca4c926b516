"""View of a model's graphs for the HTML templates: all of its states side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.charts.histograms import axis_of_spreads, density_of, hill, zero_mark
from bench.graph_analysis.folder import Anatomies, Drawn
from bench.graph_analysis.modules import node_names, scopes_in
from bench.graph_analysis.record import Anatomy, Layer
from bench.output.names import variant_name
from bench.report.difference_view import DifferenceView, difference_view
from suite.axes import VARIANTS

LAYERS: Final = 40
"""Maximum number of rows of a table of layers; the largest are shown, in the order of the graph."""
COSTLY: Final = 12
"""Maximum number of nodes shown with their MACs and their time."""
OPERATORS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StateColumn:
    """One state of the model: a column."""

    anatomy: Anatomy
    stem: str
    name: str
    picture: Drawn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadCell:
    """One layer in one state."""

    layer: Layer
    path: str
    """See `bench.charts.histograms.hill`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One layer in all states."""

    name: str
    low: float
    high: float
    zero: float | None
    cells: tuple[SpreadCell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTable:
    """Weights, or activations."""

    rows: tuple[LayerRow, ...]
    num_left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """Cost of one node in each state: (MACs share, time share), None if it is absent."""

    key: str
    """Its name, alike in every state: `bench.graph_analysis.modules.node_names`."""
    node: str
    """Its own name in the first state that has it."""
    operator: str
    scope: str
    shares: tuple[tuple[float | None, float | None] | None, ...]
    macs: tuple[int | None, ...]
    seconds: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyView:
    """Graphs of a model."""

    model: str
    size: str
    states: tuple[StateColumn, ...]
    operators: tuple[tuple[str, tuple[int, ...]], ...]
    """(operator, number of nodes in each state), most frequent first."""
    num_operators_left_out: int
    weights: LayerTable
    activations: LayerTable
    costs: tuple[CostRow, ...]
    differences: tuple[DifferenceView, ...]
    fed: str
    problems: tuple[str, ...]


def anatomy_view(
    anatomies: Anatomies, model: str, size: str, *, num_layers: int = LAYERS
) -> AnatomyView | None:
    """Return the model's graphs, or None if none was analysed."""
    found = {s: a for s, a in anatomies.by_stem.items() if (a.model, a.size) == (model, size)}
    return view_of(anatomies, found, num_layers=num_layers) if found else None


def view_of(
    anatomies: Anatomies, found: Mapping[str, Anatomy], *, num_layers: int = LAYERS
) -> AnatomyView:
    """Return these graphs (stem -> anatomy) side by side; at least one is required."""
    order = list(VARIANTS)

    def place(item: tuple[str, Anatomy]) -> tuple[int, str]:
        variant = item[1].variant
        return (order.index(variant) if variant in order else len(order)), item[0]

    columns = tuple(
        StateColumn(
            anatomy=a, stem=stem, name=variant_name(a.variant), picture=anatomies.pictures.get(stem)
        )
        for stem, a in sorted(found.items(), key=place)
    )
    states = [column.anatomy for column in columns]
    operators = _operators(states)
    return AnatomyView(
        model=states[0].model,
        size=states[0].size,
        states=columns,
        operators=tuple(operators[:OPERATORS]),
        num_operators_left_out=max(0, len(operators) - OPERATORS),
        weights=_table([a.weights for a in states], num_layers),
        activations=_table([a.activations for a in states], num_layers),
        costs=_costs(states),
        differences=_differences(anatomies, columns),
        fed=next((a.fed for a in states if a.fed), ""),
        problems=tuple(f"{variant_name(a.variant)}: {p}" for a in states for p in a.problems),
    )


def _operators(states: Sequence[Anatomy]) -> list[tuple[str, tuple[int, ...]]]:
    counts = [dict(a.operators) for a in states]
    names = dict.fromkeys(name for own in counts for name in own)
    rows = [(name, tuple(own.get(name, 0) for own in counts)) for name in names]
    return sorted(rows, key=lambda row: -max(row[1]))


def _table(states: Sequence[Sequence[Layer]], limit: int) -> LayerTable:
    by_name = [{layer.name: layer for layer in layers} for layers in states]
    names = list(dict.fromkeys(name for own in by_name for name in own))

    def elements(name: str) -> int:
        return max(own[name].spread.num for own in by_name if name in own)

    # Weights of layers are more informative than biases and norms, and one-element tensors least.
    largest = set(sorted(names, key=lambda name: -elements(name))[:limit])
    rows = []
    for name in names:
        if name not in largest:
            continue
        layers = [own.get(name) for own in by_name]
        spreads = [layer.spread for layer in layers if layer]
        low, high = axis_of_spreads(spreads)
        densest = max(density_of(spread, low, high) for spread in spreads)
        rows.append(
            LayerRow(
                name=name,
                low=low,
                high=high,
                zero=zero_mark(low, high),
                cells=tuple(
                    SpreadCell(layer=layer, path=hill(layer.spread, low, high, densest or None))
                    if layer
                    else None
                    for layer in layers
                ),
            )
        )
    return LayerTable(rows=tuple(rows), num_left_out=len(names) - len(rows))


def _costs(states: Sequence[Anatomy]) -> tuple[CostRow, ...]:
    scopes = scopes_in(a.parts for a in states)
    parts = []
    for a in states:
        names = node_names(a.parts, scopes)
        parts.append({names[p.key]: p for p in a.parts})
    times = [a.seconds or 0.0 for a in states]
    every = dict.fromkeys(name for own in parts for name in own)

    def weight(name: str) -> float:
        found = [
            max((p.seconds or 0.0) / t if t else 0.0, (p.macs or 0) / a.macs if a.macs else 0.0)
            for own, t, a in zip(parts, times, states, strict=True)
            if (p := own.get(name))
        ]
        return max(found)

    rows = []
    for name in sorted(every, key=weight, reverse=True)[:COSTLY]:
        own = [found.get(name) for found in parts]
        first = next(part for part in own if part)
        rows.append(
            CostRow(
                key=name,
                node=first.key,
                operator=first.operator,
                scope=first.scope,
                shares=tuple(
                    (
                        part.macs / a.macs if part.macs and a.macs else None,
                        part.seconds / t if part.seconds is not None and t else None,
                    )
                    if part
                    else None
                    for part, a, t in zip(own, states, times, strict=True)
                ),
                macs=tuple(part.macs if part else None for part in own),
                seconds=tuple(part.seconds if part else None for part in own),
            )
        )
    return tuple(rows)


def _differences(
    anatomies: Anatomies, columns: Sequence[StateColumn]
) -> tuple[DifferenceView, ...]:
    names = {column.stem: column.name for column in columns}
    return tuple(
        difference_view(names[before], names[after], document)
        for (before, after), document in anatomies.differences.items()
        if before in names and after in names
    )
