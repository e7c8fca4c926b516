"""Sentences on generation: what to ship, and what was not measured; the same for terminal, Markdown and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bench.output.names import backend_name
from bench.report.generation_table import mode_text
from bench.summary.generation_advice import (
    MOST_PERPLEXITY,
    Choice,
    GenerationAdvice,
    generation_advice,
)
from bench.summary.labels import labels_of, name_of, times
from bench.summary.model import Report
from suite import units
from suite.axes import ORIGINAL, REFERENCE
from suite.weight_sources import RANDOM

GOOD_SHARE: Final = 0.6
"""Share of the memory bandwidth below which the operators of a step are named."""
MOST_OPERATORS: Final = 4
PRODUCTS: Final = ("MatMul", "Gemm", "::mm", "::addmm", "::linear", "gemm", "::_int_mm")
"""Parts of the names of operators that multiply by weights."""


def generation_sentences(report: Report) -> tuple[str, ...]:
    """Return what to ship of each model, then what was left out and why."""
    labels = labels_of(report)
    advice = (
        sentence(one) for one in generation_advice(report.rows, REFERENCE) if one.num_choices > 1
    )
    left_out = (
        f"{labels[row.id]}, {backend_name(lane.backend)}: {what} left out: {reason}."
        for row in report.rows
        for lane in row.lanes
        if lane.generation is not None
        for what, reason in lane.generation.left_out.items()
    )
    return (*advice, *_slow(report), *_emulated(report), *left_out)


def _slow(report: Report) -> Iterator[str]:
    """Yield where the time goes of every mode whose decode is far below the memory bandwidth, at its first depth."""
    labels = labels_of(report)
    for row in report.rows:
        for lane in row.lanes:
            found = lane.generation
            for mode in found.modes if found else ():
                shares = (
                    point.bandwidth_share
                    for point in found.points  # type: ignore[union-attr]
                    if point.mode == mode.name and point.bandwidth_share is not None
                )
                share = next(shares, None)
                if share is None or share >= GOOD_SHARE or not mode.operators:
                    continue
                named = ", ".join(filter(None, (backend_name(lane.backend), mode_text(mode.name))))
                yield f"{labels[row.id]}, {named}: {where_time_goes(share, mode.operators)}."


def where_time_goes(share: float, operators: Mapping[str, float]) -> str:
    """Return e.g. `decode reaches 41% of the memory bandwidth: of a step's time in operators MatMul takes 70%, ...`."""
    total = sum(operators.values())
    longest = sorted(operators.items(), key=lambda item: -item[1])[:MOST_OPERATORS]
    parts = ", ".join(f"{name} {units.percent(seconds / total)}" for name, seconds in longest)
    text = (
        f"decode reaches {units.percent(share)} of the memory bandwidth: of {units.seconds(total)} in operators per"
        f" token {parts}"
    )
    products = sum(seconds for name, seconds in operators.items() if is_product(name))
    if not products:
        return text
    alone = share * total / products
    return f"{text}; its matrix products alone, which read the weights, would reach {units.percent(alone)}"


def is_product(operator: str) -> bool:
    """Return whether the operator multiplies by stored weights."""
    return any(mark in operator for mark in PRODUCTS)


def _emulated(report: Report) -> Iterator[str]:
    labels = labels_of(report)
    for row in report.rows:
        for lane in row.lanes:
            if lane.generation is not None and lane.generation.emulated:
                yield (
                    f"{labels[row.id]}, {backend_name(lane.backend)}: {lane.generation.emulated}, which is emulated:"
                    " its times say nothing of a device that has them."
                )


def sentence(advice: GenerationAdvice) -> str:
    """Return e.g. `Ship gpt2: for latency per token ONNX Runtime, int8 (71.2/s ...); for throughput Eager at ...`."""
    best, most = advice.latency, advice.throughput
    text = (
        f"Ship {name_of(best.row)}: for latency per token {name(best)} ({units.significant(best.rate)}/s of one user at"
        f" depth {best.point.depth}{_against(best)}{_loss(best)})"
    )
    if advice.rivals:
        text += f", too close to {', '.join(dict.fromkeys(map(name, advice.rivals)))} to tell"
    if most is best:
        text += "; the same for throughput"
    else:
        total = units.significant(most.rate * most.row.batch)
        text += f"; for throughput {name(most)} at batch {most.row.batch} ({total}/s of all users together)"
    if most.row.batch == 1:
        text += " (no larger batch was measured)"
    for one in advice.refused:
        assert one.perplexity is not None
        text += (
            f"; {name(one)} is faster, but its perplexity is {units.percent(one.perplexity - 1)} above float's"
            f" (at most {units.percent(MOST_PERPLEXITY - 1)})"
        )
    return f"{text}."


def name(choice: Choice) -> str:
    """Return e.g. `ONNX Runtime, int4, block 32`."""
    mode = mode_text(choice.mode.name)
    return f"{backend_name(choice.backend)}{f', {mode}' if mode else ''}"


def _against(choice: Choice) -> str:
    if choice.reference is None or (choice.backend == REFERENCE and not choice.mode.name):
        return ""
    return f", {times(choice.rate / choice.reference)} {backend_name(REFERENCE)}"


def _loss(choice: Choice) -> str:
    if choice.perplexity is None or not choice.mode.name:
        return ""
    text = f", perplexity {100 * (choice.perplexity - 1):+.2g}%"
    lane = choice.row.lane(choice.backend)
    is_random = bool(lane and lane.generation and lane.generation.weights == RANDOM)
    untrained = is_random and choice.row.variant == ORIGINAL
    return f"{text}, of random weights, which says little" if untrained else text
