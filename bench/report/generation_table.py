"""Table of generation: the same texts for the terminal, Markdown and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.output.markdown import line, safe
from bench.output.names import backend_name, backend_short
from bench.stats import Estimate
from bench.summary.generation import Generated, GeneratedPoint
from bench.summary.labels import labels_of
from bench.summary.model import Report
from suite import units
from suite.results.generate import TokenAgreement

if TYPE_CHECKING:
    from rich.table import Table

HEADS: Final = (
    "model", "backend", "mode", "prompt", "depth", "first token", "prefill", "decode", "between tokens", "p99",
    "of bandwidth", "perplexity", "graph", "cache", "peak", "same tokens",
)  # fmt: skip
"""Headings of the columns, in their order."""
IMPORTANT: Final = (
    "model", "backend", "mode", "depth", "decode", "first token", "prompt", "perplexity", "same tokens", "graph",
    "prefill", "between tokens", "of bandwidth", "cache", "p99", "peak",
)  # fmt: skip
"""The same, the most important first: what a narrow terminal shows."""
LEGEND: Final = (
    "medians with half of their 95% interval; prompt tokens are read behind depth tokens in the cache; decode is of one"
    " user; of bandwidth: weights and cache read once per step, over the memory bandwidth"
    " measured here; graph: bytes of its file with the weights; cache and peak of the whole batch; same tokens: as full"
    " recomputation in float32 chooses them, weights in fewer bits may part"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One point of one backend."""

    row: str
    """The report row's id."""
    backend: str
    cells: tuple[str, ...]
    """Texts by HEADS."""


def lines_of(report: Report) -> tuple[Line, ...]:
    """Return one line per model, backend, mode, depth and prompt; empty if nothing was generated."""
    labels = labels_of(report)
    return tuple(
        Line(row.id, lane.backend, (labels[row.id], lane.backend, *_texts(lane.generation, point)))
        for row in report.rows
        for lane in row.lanes
        if lane.generation is not None
        for point in lane.generation.points
    )


def filled_heads(lines: Sequence[Line]) -> list[tuple[int, str]]:
    """Return (place, heading) of the columns in which any line has something."""
    return [
        (place, head)
        for place, head in enumerate(HEADS)
        if place < 2 or any(one.cells[place] not in ("", units.ABSENT) for one in lines)
    ]


def _texts(found: Generated, point: GeneratedPoint) -> tuple[str, ...]:
    mode = found.mode_of(point)
    return (
        mode_text(mode.name),
        str(point.prompt),
        str(point.depth),
        _measured(point.ttft, units.seconds),
        _measured(point.prefill_rate, _rate),
        _measured(point.decode_rate, _rate),
        _measured(point.itl, units.seconds),
        units.seconds(point.itl_p99.value) if point.itl_p99 else "",
        units.percent(point.bandwidth_share) if point.bandwidth_share is not None else "",
        units.significant(mode.perplexity, 4) if mode.perplexity is not None else "",
        units.num_bytes(mode.file_bytes) if mode.file_bytes is not None else "",
        units.num_bytes(point.cache_bytes),
        units.num_bytes(point.peak) if point.peak is not None else "",
        agreement_text(mode.agreement),
    )


def mode_text(name: str) -> str:
    """Return e.g. `int4, block 32`; empty for the backend's first mode."""
    bits, _, block = name.partition("_")
    return f"{bits}, block {block}" if block else bits


def agreement_text(agreed: TokenAgreement | None) -> str:
    """Return e.g. `192 of 192`, with the number of near-ties at which prompts part, or the widest other parting."""
    if agreed is None:
        return ""
    text = f"{agreed.num_equal} of {agreed.num_prompts * agreed.num_tokens}"
    if not agreed.partings:
        return text
    far = [parting for parting in agreed.partings if not parting.is_near_tie]
    if not far:
        return f"{text}, {units.plural(len(agreed.partings), 'near-tie')}"
    widest = max(far, key=lambda parting: parting.margin)
    return f"{text}, parts by {units.significant(widest.margin)} at {widest.step}"


def _rate(value: float) -> str:
    return f"{units.significant(value)}/s"


def _measured(found: Estimate | None, text: object) -> str:
    if found is None:
        return ""
    assert callable(text)
    return f"{text(found.value)} {units.half_width(found.relative_half_width)}".rstrip()


def generation_table(lines: Sequence[Line], width: int) -> Table:
    """Return the lines in as many columns as fit into `width` characters."""
    # The page has these lines too, and needs nothing of what draws on a terminal.
    from rich.text import Text

    from bench.report.columns import Column, drawn, fitting
    from bench.report.table import NAME

    columns = {
        head: Column(head, [Text(_short(one, place)) for one in lines], place > 1)
        for place, head in enumerate(HEADS)
    }
    filled = {name: c for name, c in columns.items() if any(cell.plain for cell in c.cells)}
    return drawn(fitting(filled, width, IMPORTANT, least=NAME))


def _short(one: Line, place: int) -> str:
    return backend_short(one.cells[place]) if HEADS[place] == "backend" else one.cells[place]


def generation_markdown(report: Report) -> list[str]:
    """Return heading, table and legend as Markdown blocks; empty if nothing was generated."""
    lines = lines_of(report)
    if not lines:
        return []
    aligns = [":--", ":--", *("--:" for _ in HEADS[2:])]
    rows = [line(HEADS), line(aligns)]
    for one in lines:
        model, backend, *rest = one.cells
        rows.append(line([safe(model), backend_name(backend), *rest]))
    return ["### Generation", "\n".join(rows), f"<sub>{LEGEND}.</sub>"]
