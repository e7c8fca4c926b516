"""Markup of the cells that every row of every table has: bars, stacks, ratios. Templates would look up each value by
name, which takes most of the time of a page of a thousand rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from bench.output.names import COMPARISONS, backend_name
from bench.output.page import escaped
from bench.output.text import shortened
from bench.report.anchor import anchor
from bench.report.view import LaneView, RowView, SpeedupView
from bench.summary.ship import Answer


def ship_rows(answers: Sequence[Answer]) -> Markup:
    """Return a row for every answer: model, what to ship, how fast, at what cost, how sure; or why nothing is named."""
    return Markup("".join(map(_ship_row, answers)))


def _ship_row(one: Answer) -> str:
    name = escaped(shortened(one.name, 80))
    head = (
        '<tr role="row"><th scope="row" role="rowheader">'
        f'<a href="#{escaped(anchor(one.place))}"><bdi>{name}</bdi></a></th>'
    )
    sure = escaped(one.sure)
    if not one.what:
        return f'{head}<td role="cell" class="none" colspan="4">{sure}</td></tr>'
    lost = escaped(one.lost) if one.has_unknown_quality else _unbroken(one.lost)
    return (
        f'{head}<td role="cell">{escaped(one.what)}</td><td role="cell" class="fast">{_unbroken(one.fast)}</td>'
        f'<td role="cell" class="lost{" unknown" if one.has_unknown_quality else ""}">{lost}</td>'
        f'<td role="cell" class="sure">{sure}</td></tr>'
    )


def medians(view: RowView, missing: Mapping[str, Markup], doubt: Markup) -> Markup:
    """Return a line for every backend: its median latency, with a mark where it is doubted; `missing`: outcome -> what
    stands in place of a number.
    """
    return Markup("".join([_median(lane, missing, doubt) for lane in view.lanes]))


def _median(lane: LaneView, missing: Mapping[str, Markup], doubt: Markup) -> str:
    if lane.latency is None:
        return f'<div class="ln">{missing[lane.missing]}</div>'
    mark = ""
    if lane.doubted:
        where = f'href="#{escaped(lane.anchor)}" title="{escaped(lane.doubted)}"'
        mark = f'<a class="doubt" {where}>{doubt}<span class="sr">doubts</span></a>'
    kind = ' class="win"' if lane.wins else ""
    return f'<div class="ln"><span{kind}>{_unbroken(lane.latency.text)}</span>{mark}</div>'


def half_widths(view: RowView) -> Markup:
    """Return a line for every backend: half of its interval; the whole one is its title."""
    return Markup(
        "".join(
            [
                f'<div class="ln" title="{escaped(lane.interval)}">{escaped(lane.half_width)}</div>'
                for lane in view.lanes
            ]
        )
    )


def cold_totals(view: RowView, missing: Mapping[str, Markup]) -> Markup:
    """Return a line for every backend: the seconds of its cold start, or what stands in their place."""
    return Markup(
        "".join(
            [
                f'<div class="ln">{_unbroken(lane.cold_total) or missing[lane.cold_missing]}</div>'
                for lane in view.lanes
            ]
        )
    )


def latency_bars(view: RowView) -> Markup:
    """Return a line for every backend: the bar of its latency with its interval; empty without one."""
    return Markup("".join(map(_latency_bar, view.lanes)))


def _latency_bar(lane: LaneView) -> str:
    bar = lane.latency
    if bar is None:
        return '<div class="ln"></div>'
    whisker = _span("u", *bar.whisker) if bar.whisker else ""
    return (
        f'<div class="ln"><span class="bar"><i class="b-{escaped(lane.lane.backend)}"'
        f' style="width:{bar.percent:.4g}%"></i>{whisker}</span></div>'
    )


def lane_speed(lane: LaneView) -> Markup:
    """Return the latency of a lane with its interval, and its samples in order; empty without one."""
    if lane.latency is None:
        return Markup("")
    told = escaped(lane.half_width)
    if lane.interval:
        told += f" · {_unbroken(lane.interval)}"
    text = f'<p class="big"><b>{_unbroken(lane.latency.text)}</b> <span class="muted">{told}</span></p>'
    if lane.strip is not None:
        band = lane.strip.band
        box = f'<rect x="0" width="1000" y="{band[0]}" height="{band[1]}"/>' if band else ""
        text += (
            f'<figure class="strip b-{escaped(lane.lane.backend)}"><svg viewBox="0 0 1000 100"'
            f' preserveAspectRatio="none" role="img" aria-label="{escaped(lane.strip_label)}">{box}'
            f'<path class="median" d="M0 {lane.strip.median}H1000"/><path class="dots" d="{lane.strip.dots}"/></svg>'
            f'<figcaption class="muted small">{escaped(lane.strip_caption)}</figcaption></figure>'
        )
    return Markup(text)


def _unbroken(text: str) -> str:
    return escaped(text.replace(" ", "\u00a0"))


def cold_stacks(view: RowView, titles: Sequence[tuple[str, str]]) -> Markup:
    """Return a line for every backend: the phases of its cold start side by side; `titles`: (metric, its name)."""
    return Markup("".join([_cold_stack(lane, titles) for lane in view.lanes]))


def _cold_stack(lane: LaneView, titles: Sequence[tuple[str, str]]) -> str:
    parts = [
        f'<i class="c-{escaped(metric)}" style="width:{bar.percent:.4g}%"'
        f' title="{escaped(title)} {escaped(bar.text)}"></i>'
        for metric, title in titles
        if (bar := lane.cold.get(metric)) is not None
    ]
    return f'<div class="ln"><span class="stack">{"".join(parts)}</span></div>'


def memory_meters(view: RowView, metric: str, missing: Mapping[str, Markup]) -> Markup:
    """Return a line for every backend: its bytes with their bar; `missing`: outcome -> what stands in place of them."""
    return Markup("".join([_meter(lane, metric, missing) for lane in view.lanes]))


def _meter(lane: LaneView, metric: str, missing: Mapping[str, Markup]) -> str:
    bar, backend = lane.memory.get(metric), escaped(lane.lane.backend)
    if bar is not None:
        text = _unbroken(bar.text)
        inner = (
            f'<span class="num">{text}</span>'
            f'<span class="bar"><i class="b-{backend}" style="width:{bar.percent:.4g}%"></i></span>'
        )
    else:
        why = lane.lane.absent.get(metric, "")[:200]
        title = f' title="{escaped(why)}"' if why else ""
        inner = f'<span class="num"{title}>{missing[lane.memory_missing]}</span>'
    return f'<div class="ln b-{backend}">{inner}</div>'


def ratios(view: RowView) -> Markup:
    """Return the speed-ups of the row: bar from 1, whisker, figure, and what it means in words."""
    return Markup("".join(map(_ratio, view.speedups)))


def _ratio(view: SpeedupView) -> str:
    own = view.speedup
    mark, words, verb = COMPARISONS[own.verdict]
    other = escaped(backend_name(own.over)) + (
        f" in {escaped(own.over_dtype)}" if view.against else ""
    )
    title = f"{escaped(backend_name(own.backend))} {verb} {other}"
    if view.interval:
        title += f", {escaped(view.interval)}"
    bar = figure = ""
    if own.is_known:
        faster = escaped(own.backend if own.ratio >= 1 else own.over)
        bar = _span("i", view.bar.left, view.bar.width, f' class="b-{faster}"')
        figure = (
            f'<b>{escaped(view.text)}</b> <small class="range">{escaped(view.interval)}</small> '
        )
    if view.bar.whisker_left is not None:
        bar += _span("u", view.bar.whisker_left, view.bar.whisker_width)
    against = f'<small class="told">{escaped(view.against)}</small>' if view.against else ""
    return (
        f'<div class="ratio {own.verdict}{" mixed" if view.against else ""}" title="{title}">'
        f'<span class="div" style="--mid:{view.middle:.4g}%">{bar}</span>'
        f'<span class="times">{figure}<small class="told"><span aria-hidden="true">{mark}</span>'
        f" {words}</small>{against}</span></div>"
    )


def _span(tag: str, left: float, width: float, attributes: str = "") -> str:
    return f'<{tag}{attributes} style="left:{left:.4g}%;width:{width:.4g}%"></{tag}>'
