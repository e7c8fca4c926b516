"""Tables of lanes: what they computed in, how far their answers are from eager's, and what torch.compile took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from bench.output.names import plural
from bench.output.text import shortened
from bench.summary.answers import error_text, verdict_text
from bench.summary.labels import interval_text, labels_of, times
from bench.summary.lane_causes import LaneFinding, causes_of_lane, is_slow, lacks_compilation
from bench.summary.lane_facts import Compiled, Likeness, Ran
from bench.summary.model import Comparison, Lane, Report, Row
from suite import units
from suite.axes import DTYPES, REFERENCE

LISTED: Final = 3
"""Most nodes that are named of those that fell back."""
PLACES: Final = 40
"""Most graph breaks and recompilations listed of one lane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLine:
    """One lane: how it computed, and how far its answers are from eager float32's."""

    row: str
    backend: str
    computed: str
    """What ran it, and in which precisions; empty if it says nothing of it."""
    error: str
    agreement: str
    verdict: str
    holds: bool | None
    evidence: str
    fallen: str
    """Nodes that another provider ran."""
    over: str
    """How fast it is against eager in float32, if the row is in another dtype."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a graph breaks, or is compiled again."""

    what: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilationLine:
    """What torch.compile took and made of one lane."""

    row: str
    label: str
    backend: str
    cold: str
    warm: str
    cached: str
    graphs: str
    breaks: str
    recompiled: str
    places: tuple[Place, ...]
    num_left_out: int
    is_whole: bool
    """Whether it is one graph that is compiled once."""

    @property
    def text(self) -> str:
        """All in one line, the places left out."""
        took = f"cold {self.cold}, warm {self.warm}, cached {self.cached}"
        return f"compiled in {took}; graphs {self.graphs}, breaks {self.breaks}, recompiled {self.recompiled}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseLine:
    """Why one lane is slow."""

    row: str
    label: str
    backend: str
    causes: tuple[LaneFinding, ...]
    """The gravest first."""
    missing: str
    """What has to be measured to name one, with the command; empty if nothing has."""

    @property
    def text(self) -> str:
        """The first cause in one line."""
        if not self.causes:
            return f"slow, and not known why: {self.missing}"
        first, more = self.causes[0], len(self.causes) - 1
        rest = f" (and {plural(more, 'cause')} more)" if more else ""
        return f"{first.cause}: {first.sentence}. Cure: {first.cure}{rest}"


def answer_lines(report: Report) -> tuple[AnswerLine, ...]:
    """Return a line per lane of which anything is known beside its speed."""
    return tuple(
        _answer_line(row, lane)
        for row in report.rows
        for lane in row.lanes
        if lane.likeness is not None or (lane.ran is not None and computed_text(lane.ran))
    )


def compilation_lines(report: Report) -> tuple[CompilationLine, ...]:
    """Return a line per lane whose compilation was taken apart."""
    if not any(lane.compiled for row in report.rows for lane in row.lanes):
        return ()
    labels = labels_of(report)
    return tuple(
        _compilation_line(row, labels[row.id], lane, lane.compiled)
        for row in report.rows
        for lane in row.lanes
        if lane.compiled is not None
    )


def cause_lines(report: Report) -> tuple[CauseLine, ...]:
    """Return a line per lane of which a cause is named, and per slow one of which it could be."""
    labels = labels_of(report)
    return tuple(
        CauseLine(
            row=row.id,
            label=labels[row.id],
            backend=lane.backend,
            causes=causes,
            missing=missing,
        )
        for row in report.rows
        for lane in row.lanes
        for causes in (causes_of_lane(row, lane),)
        for missing in (lacks_compilation(report, row, lane) if is_slow(row, lane) else "",)
        if causes or missing
    )


def computed_text(ran: Ran) -> str:
    """Return e.g. `OpenVINO 2026.4.1, all 21 products in bf16`, or the nodes by ONNX Runtime's provider."""
    parts = [ran.library] if ran.library else []
    if ran.precisions:
        parts.append(_shares(ran.precisions, "product", "in"))
    elif ran.precision:
        parts.append(f"{ran.precision} by its own word")
    if len(ran.assigned) > 1:
        named = {name.removesuffix("ExecutionProvider"): n for name, n in ran.assigned.items()}
        parts.append(_shares(named, "node", "on"))
    if ran.emulated:
        parts.append(f"emulated: {ran.emulated}")
    return ", ".join(parts)


def fallen_text(likeness: Likeness) -> str:
    """Return e.g. `3 nodes fell back to CPU, 41% of the time: Conv stem.conv 30%, ...`; empty if none did."""
    nodes = likeness.fallen_back
    if not nodes:
        return ""
    homes = dict.fromkeys(node.provider.removesuffix("ExecutionProvider") for node in nodes)
    named = ", ".join(
        f"{node.operator} {shortened(node.name, 60)} {node.share:.0%}" for node in nodes[:LISTED]
    )
    more = ", ..." if nodes[LISTED:] else ""
    total = sum(node.share for node in nodes)
    return f"{plural(len(nodes), 'node')} fell back to {', '.join(homes)}, {total:.0%} of the time: {named}{more}"


def over_float32(row: Row, lane: Lane) -> Comparison | None:
    """Return how fast a lane in another dtype is against eager in float32; None if it was not held against that."""
    if row.dtype == DTYPES[0]:
        return None
    found = (
        one
        for one in lane.comparisons
        if (one.variant, one.backend, one.dtype) == (row.variant, REFERENCE, DTYPES[0])
    )
    return next(found, None)


def over_text(row: Row, lane: Lane) -> str:
    """Return `1.90× (1.85–1.95×) eager float32`; empty for a row in float32."""
    found = over_float32(row, lane)
    if found is None:
        return ""
    return f"{times(found.ratio)}{interval_text(found.low, found.high)}"


def _answer_line(row: Row, lane: Lane) -> AnswerLine:
    own = lane.likeness
    return AnswerLine(
        row=row.id,
        backend=lane.backend,
        computed=computed_text(lane.ran) if lane.ran else "",
        error=error_text(own.relative_error) if own else "",
        agreement=f"{own.agreement:.0%}" if own and own.agreement is not None else "",
        verdict=verdict_text(own) if own else "",
        holds=own.holds if own else None,
        evidence=own.evidence if own else "",
        fallen=fallen_text(own) if own else "",
        over=over_text(row, lane),
    )


def _compilation_line(row: Row, label: str, lane: Lane, own: Compiled) -> CompilationLine:
    places = [
        *(Place(what="break", place=_short(b.place), reason=b.reason) for b in own.breaks),
        *(
            Place(what=f"recompiled {r.count}×", place=_short(r.place), reason=r.reason)
            for r in own.recompilations
        ),
    ]
    again = sum(one.count for one in own.recompilations)
    return CompilationLine(
        row=row.id,
        label=label,
        backend=lane.backend,
        cold=units.seconds(own.cold),
        warm=units.seconds(own.warm),
        cached=units.seconds(own.cached),
        graphs=units.ABSENT if own.num_graphs is None else f"{own.num_graphs:,}",
        breaks=f"{len(own.breaks):,}" if own.breaks else "none",
        recompiled=f"{again:,}×" if again else "no",
        places=tuple(places[:PLACES]),
        num_left_out=len(places[PLACES:]),
        is_whole=not places,
    )


def _short(place: str) -> str:
    """Return the place without the folders before the last two, which are those of an installation."""
    path = PurePath(place)
    return "/".join(path.parts[-3:]) if path.is_absolute() else place


def _shares(counts: Mapping[str, int], noun: str, where: str) -> str:
    """Return `all 21 products in bf16`, or `19 of 21 products in bf16, 2 in f32`."""
    total = sum(counts.values())
    order = sorted(counts.items(), key=lambda pair: -pair[1])
    first, number = order[0]
    if len(order) == 1:
        return f"{'all ' if total > 1 else ''}{plural(total, noun)} {where} {first}"
    rest = "".join(f", {num} {where} {name}" for name, num in order[1:])
    return f"{number} of {plural(total, noun)} {where} {first}{rest}"
