"""Wording of a choice, the same on the terminal, in Markdown and in JSON."""

from __future__ import annotations

from collections.abc import Mapping

from bench.output.names import OUTCOMES, backend_short, variant_name
from bench.summary.advice import Limits, chance_of
from bench.summary.labels import interval_text, times
from bench.summary.lifecycle_records import Quality
from bench.summary.quality_text import change_text, drop_text, named_metric_text
from bench.tune.choice import Choice, Ranked
from bench.tune.lanes import Candidate, Cost, title_of
from bench.tune.tuned import Tuned
from suite import units
from suite.axes import ORIGINAL, REFERENCE


def limits_text(limits: Limits, quality: Quality | None) -> str:
    """Return e.g. `loses at most 1.0 points, at most 20.0 ms, at most 50.0 MB`."""
    parts = [f"loses at most {_drop(quality, limits.max_drop)}"]
    if limits.max_seconds is not None:
        parts.append(f"at most {units.seconds(limits.max_seconds)}")
    if limits.max_bytes is not None:
        parts.append(f"at most {units.num_bytes(limits.max_bytes)}")
    return ", ".join(parts)


def _drop(quality: Quality | None, drop: float) -> str:
    return drop_text(quality, drop) if quality else f"{drop:.3g}% against float32"


def judged_by(tuned: Tuned) -> str:
    """Return how quality was judged: `accuracy on 256 test samples`, or by agreement."""
    costs = [one.cost for one in tuned.candidates if one.cost]
    num = max((cost.num_samples for cost in costs), default=0)
    if tuned.quality:
        return f"{tuned.quality.name} on {units.plural(num, 'test sample')}"
    return f"agreement with float32 on {units.plural(num, 'input')}"


def cost_text(cost: Cost | None, quality: Quality | None) -> str:
    """Return `loses 0.4 points (now 94.6%)`, `no loss (95.0%)`, or without a metric `0.4% off, 98% same`."""
    if cost is None:
        return "quality unknown"
    if quality is None:
        agreement = cost.fidelity.argmax_agreement if cost.fidelity else None
        same = "" if agreement is None else f", {agreement:.0%} same"
        return f"{cost.drop:.2g}% off{same}" if cost.drop >= 0.005 else f"answers as float32{same}"
    now = named_metric_text(quality, cost.metric)
    if cost.drop < 0.05:
        better = f", {change_text(quality, -cost.drop)}" if cost.drop <= -0.05 else ""
        return f"no loss ({now}{better})"
    return f"loses {drop_text(quality, cost.drop)} (now {now})"


def latency_text(one: Ranked) -> str:
    """Return `1.23 ms ±2.0%`: the median with half of its 95% interval."""
    if one.latency is None:
        return units.ABSENT
    half = units.half_width(one.latency.relative_half_width)
    return f"{units.seconds(one.latency.value)} {half}".rstrip()


def speed_text(one: Ranked) -> str:
    """Return `3.20× (3.10–3.30×)`, against eager; a dash if that is not known."""
    if one.ratio is None:
        return units.ABSENT
    return times(one.ratio.value) + interval_text(one.ratio.low, one.ratio.high)


def speed_head(tuned: Tuned) -> str:
    """Return the head of the column of speeds: against eager, or against what stands in for it, by its backend."""
    found = (one.cell.backend for one in tuned.candidates if one.label == tuned.choice.reference)
    return f"× {backend_short(next(found, REFERENCE))}"


def names(tuned: Tuned) -> dict[str, str]:
    """Return label -> title of every candidate, with the batch where several were asked for."""
    has_batches = len({one.cell.batch for one in tuned.candidates}) > 1
    return {one.label: title_of(one, has_batches=has_batches) for one in tuned.candidates}


def verdict(tuned: Tuned) -> str:
    """Return the answer in one sentence."""
    choice, title = tuned.choice, names(tuned)
    if choice.pick is None:
        return _no_pick(tuned)
    pick = choice.pick
    what = f"Ship {title[pick.candidate.label]}"
    cost = cost_text(pick.candidate.cost, tuned.quality)
    rest = f"{latency_text(pick)}; {cost}; {units.num_bytes(pick.candidate.num_bytes)}"
    if choice.is_tied_with_eager:
        return f"{what}: nothing is surely faster; {rest}."
    if pick.candidate.label == choice.reference and unranked(choice):
        return f"{what}: no other speed within the limits is known; {rest}."
    if pick.candidate.label == choice.reference:
        return f"{what}: it is the fastest; {rest}."
    # `as fast as as built on Eager` reads as a slip.
    reference = title[choice.reference].removeprefix(f"{variant_name(ORIGINAL)} ")
    return f"{what}: {speed_text(pick)} as fast as {reference}; {rest}."


def _no_pick(tuned: Tuned) -> str:
    choice = tuned.choice
    limits = limits_text(choice.limits, tuned.quality)
    if choice.nearest is not None and (unknown := unranked(choice)):
        lanes = units.plural(len(unknown), "lane")
        return f"What to ship is not known: of {lanes} within the limits ({limits}) no speed is."
    if choice.nearest is not None:
        near = choice.nearest
        return (
            f"Nothing is within the limits ({limits}). The nearest is {names(tuned)[near.candidate.label]}:"
            f" {latency_text(near)}; {cost_text(near.candidate.cost, tuned.quality)};"
            f" {units.num_bytes(near.candidate.num_bytes)}."
        )
    if tuned.is_broken_off and not tuned.found.arms:
        return f"Broken off in {tuned.phase or 'preparation'}, before anything was timed."
    if unranked(choice):
        return (
            "What to ship is not known: too many turns were disturbed, those of eager among them; the machine had other"
            " work. Next: stop it, or --threads 1"
        )
    return "What to ship is not known: no lane could be timed; what was left out says why."


def doubts(tuned: Tuned) -> list[str]:
    """Return reasons why the answer may be another next time."""
    found = []
    if tuned.is_broken_off:
        found.append(
            f"it was broken off in {tuned.phase or 'preparation'}: this is what was known by then"
        )
    if tuned.is_busy:
        found.append("the machine was busy: most turns were disturbed")
    if num := len(unranked(tuned.choice)):
        found.append(
            f"the speed of {units.plural(num, 'other lane')} within the limits is not known: too many of their turns"
            " were disturbed"
        )
    if tuned.found.stopped_because == "time_cap" and tuned.choice.ties:
        found.append(
            "its time was up before the ties were told apart; --plan rigorous takes longer"
        )
    pick, quality = tuned.choice.pick, tuned.quality
    cost = pick.candidate.cost if pick and not pick.candidate.is_eager else None
    chance = chance_of(quality.name, cost.metric, cost.num_samples) if quality and cost else None
    if cost and chance is not None and cost.drop + chance > tuned.choice.limits.max_drop:
        found.append(
            f"on {cost.num_samples:,} test samples the metric moves by {chance:.1f} points by chance, so a loss of"
            f" {tuned.choice.limits.max_drop:g} cannot be told from none"
        )
    return found


def unranked(choice: Choice) -> tuple[Ranked, ...]:
    """Return the lanes within the limits that could not be ranked because their turns were disturbed."""
    return tuple(one for one in choice.left_out if one.kind in ("void", "few") and not one.limits)


def why_left_out(one: Ranked, tuned: Tuned) -> str:
    """Return why a lane is not chosen, e.g. `0.43× (0.41–0.45×) the speed of the choice, left after round 1`."""
    if one.candidate.reason:
        own = {"lost": "failed", "not_reached": "not timed"}
        title = own.get(one.kind) or OUTCOMES.get(one.candidate.outcome, "")
        return f"{title}: {one.candidate.reason}".removeprefix("passed: ")
    if one.kind == "void":
        turns = f"{one.num_void} of {units.plural(one.num_turns, 'turn')}"
        return f"void: {turns} were disturbed, its threads waited for a core"
    if one.kind == "limit":
        return f"over the limit: {', '.join(_broken(one, tuned, name) for name in one.limits)}"
    if one.kind == "few":
        return f"speed unknown: too few undisturbed turns ({one.num_turns - one.num_void})"
    when = f", left after round {one.left_after}" if one.left_after else ""
    if one.against_pick is None:
        return f"slower{when}"
    ratio = one.against_pick
    return (
        f"{times(ratio.value)}{interval_text(ratio.low, ratio.high)} the speed of the choice{when}"
    )


def _broken(one: Ranked, tuned: Tuned, name: str) -> str:
    texts: Mapping[str, str] = {
        "drop": cost_text(one.candidate.cost, tuned.quality),
        "size": units.num_bytes(one.candidate.num_bytes),
        "latency": latency_text(one),
    }
    return texts[name]


def grouped_reasons(choice: Choice, tuned: Tuned) -> dict[str, list[Candidate]]:
    """Return reason -> candidates that were not timed for it, in order."""
    found: dict[str, list[Candidate]] = {}
    for one in choice.left_out:
        if one.latency is None:
            found.setdefault(why_left_out(one, tuned), []).append(one.candidate)
    return found
