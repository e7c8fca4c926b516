"""Markdown form of a choice, for a comment or a file."""

from __future__ import annotations

from bench.output.markdown import line, safe
from bench.tune.choice import PICK, TIE
from bench.tune.tuned import Tuned
from bench.tune.wording import (
    cost_text,
    doubts,
    grouped_reasons,
    judged_by,
    latency_text,
    limits_text,
    names,
    speed_head,
    speed_text,
    verdict,
    why_left_out,
)
from suite import units

MARKS = {PICK: "ship", TIE: "cannot be told apart"}


def to_markdown(tuned: Tuned) -> str:
    """Return the choice as Markdown: the answer first, then the table."""
    title, choice = names(tuned), tuned.choice
    lines = [f"# What to ship: {safe(tuned.model)} {tuned.size} on {tuned.device}", ""]
    lines += [f"**{safe(verdict(tuned), 1000)}**", ""]
    lines += [f"- not sure: {safe(doubt)}" for doubt in doubts(tuned)]
    lines += [
        f"- limits: {safe(limits_text(choice.limits, tuned.quality))}",
        f"- judged by {safe(judged_by(tuned))}",
    ]
    lines += [f"- {label}: {safe(value)}" for label, value in tuned.machine.items()]
    if tuned.bundle:
        low, high = map(units.seconds, tuned.bundle_latency or (0.0, 0.0))
        lines.append(
            f"- bundle: `python {tuned.bundle}/run.py`, {low} to {high} in a fresh process"
        )
    timed = sorted(
        (one for one in choice.every if one.latency), key=lambda one: one.per_sample or float("inf")
    )
    if timed:
        head = ("lane", "latency", speed_head(tuned), "size", "quality", "front", "")
        lines += ["", line(head), line(["---"] * len(head))]
        lines += [
            line(
                (
                    safe(title[one.candidate.label]),
                    latency_text(one),
                    speed_text(one),
                    units.num_bytes(one.candidate.num_bytes),
                    safe(cost_text(one.candidate.cost, tuned.quality)),
                    "yes" if one.is_on_front else "",
                    MARKS.get(one.place) or safe(why_left_out(one, tuned)),
                )
            )
            for one in timed
        ]
    if reasons := grouped_reasons(choice, tuned):
        lines += ["", "Without a figure:", ""]
        lines += [
            f"- {', '.join(safe(title[one.label]) for one in members)}: {safe(reason)}"
            for reason, members in reasons.items()
        ]
    return "\n".join(lines) + "\n"
