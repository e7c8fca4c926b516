"""Layers that 8 bits hurt, and what was done about them, in words for the page, the terminal and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.graph_analysis.modules import node_names
from bench.output.names import variant_name
from bench.output.text import shortened
from bench.summary.lifecycle_records import Harm, Life, Mended, Quality, Quantized
from bench.summary.quality_text import drop_text
from suite import units

SHOWN: Final = 10
"""Layers of a table."""
BRIEF: Final = 3
"""Layers of a line."""
LONG: Final = 80
"""Characters of a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmRow:
    """One layer, in words."""

    name: str
    """Module and operator; the node's own name where no module is known."""
    key: str
    """As the record's `excluded` takes it."""
    drop: str
    error: str
    share: str
    is_excluded: bool


def harm_rows(quality: Quality | None, quantized: Quantized, most: int = SHOWN) -> list[HarmRow]:
    """Return the worst layers, and every one that was left in float."""
    ordered: list[Harm] = sorted(quantized.layers, key=lambda layer: layer.place)
    names = node_names(ordered, {})
    kept = [
        layer for number, layer in enumerate(quantized.layers) if number < most or layer.is_excluded
    ]
    return [_row(quality, layer, names[layer.key]) for layer in kept]


def _row(quality: Quality | None, layer: Harm, name: str) -> HarmRow:
    group = "" if layer.group is None else f" (group {layer.group + 1})"
    return HarmRow(
        name=shortened(name, LONG) + group,
        key=shortened(layer.key, LONG),
        drop=drop_text(quality, layer.drop),
        error=units.ABSENT if layer.error is None else f"{layer.error:.2%}",
        share=units.ABSENT if layer.share is None else f"{layer.share:.1%}",
        is_excluded=layer.is_excluded,
    )


def layers_note(quantized: Quantized) -> str:
    """Return how the layers were ranked, in a sentence."""
    by = "the metric, ties by the error" if quantized.layers_by == "metric" else "the error"
    told = (
        "Each layer alone in 8 bits, all others in float, on"
        f" {units.plural(quantized.num_layer_samples, 'held-out sample')};"
        f" ranked by {by}. The error is that of the outputs, the share that of the float graph's time."
    )
    if any(layer.group is not None for layer in quantized.layers):
        told += " Layers of a group were judged together, for lack of time."
    if quantized.num_layers_left:
        told += f" {units.plural(quantized.num_layers_left, 'layer')} not reached in time."
    return told


def mending_text(quality: Quality | None, quantized: Quantized) -> str:
    """Return what was done because the plain graph lost too much, in a sentence; empty if nothing was."""
    done = quantized.mended
    if done is None:
        return ""
    name, limit = variant_name(quantized.variant), _loss(quality, done.limit)
    lost = f"the plain {name} graph lost {_loss(quality, done.before)}, {limit} allowed"
    tried = ", ".join(_way(quality, *way) for way in done.ways)
    if done.failure:
        return f"{lost}, and could not be mended: {shortened(done.failure, 300)}. Tried: {tried}."
    how = f"ranges by {done.kept}" if done.kept != "plain" else "the plain way"
    if done.num_excluded:
        how += f", {done.num_excluded} of {units.plural(done.num_layers, 'layer')} left in float"
    return (
        f"{lost}; with {how} it loses {_loss(quality, done.after)}"
        f" (8-bit operators {done.num_quantized[0]} to {done.num_quantized[1]}, conversions"
        f" {done.num_conversions[0]} to {done.num_conversions[1]}{_speed(done)}). Tried, on held-out samples: {tried}."
    )


def layer_lines(life: Life) -> list[str]:
    """Return a line per quantized state whose layers were judged or that was mended, for the terminal."""
    lines = []
    for quantized in life.quantized:
        if text := mending_text(life.quality, quantized):
            lines.append(f"{life.model}: {text}")
        if quantized.layers:
            worst = [
                f"{row.name} {row.drop if quantized.layers_by == 'metric' else row.error}"
                for row in harm_rows(life.quality, quantized, BRIEF)[:BRIEF]
            ]
            lines.append(
                f"{life.model}: layers that {variant_name(quantized.variant)} hurts most: {', '.join(worst)}"
            )
    return lines


def _loss(quality: Quality | None, value: float | None) -> str:
    if quality is None:
        return units.ABSENT if value is None else f"{value:.1%} of the outputs"
    return drop_text(quality, value)


def _way(quality: Quality | None, name: str, loss: float | None, failure: str) -> str:
    return (
        f"{name} failed ({shortened(failure, 80)})" if failure else f"{name} {_loss(quality, loss)}"
    )


def _speed(done: Mended) -> str:
    if done.speed is None:
        return ""
    plain, kept = done.speed
    return f", {kept / plain:.0%} of the plain graph's speed" if plain else ""
