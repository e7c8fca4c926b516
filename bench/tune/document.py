"""The JSON document of a choice: everything, with the raw turns."""

from __future__ import annotations

from typing import Any, Final

from bench.tune.choice import Ranked
from bench.tune.tuned import Tuned
from bench.tune.wording import doubts, names, verdict, why_left_out
from diagnostics.codec import encode

SCHEMA: Final = 1
"""1: the first."""


def to_document(tuned: Tuned) -> dict[str, Any]:
    """Return the choice as JSON-able data; lanes are named by their labels, the fastest first."""
    choice, title = tuned.choice, names(tuned)
    return {
        "schema": SCHEMA,
        "model": tuned.model,
        "size": tuned.size,
        "device": tuned.device,
        "machine": dict(tuned.machine),
        "limits": encode(choice.limits),
        "quality": encode(tuned.quality),
        "verdict": verdict(tuned),
        "ship": choice.pick.candidate.label if choice.pick else None,
        "ties": [one.candidate.label for one in choice.ties],
        "front": [one.candidate.label for one in choice.front],
        "nearest": choice.nearest.candidate.label if choice.nearest else None,
        "reference": choice.reference,
        "doubts": doubts(tuned),
        "lanes": [
            _lane(one, title[one.candidate.label], tuned)
            for one in sorted(choice.every, key=lambda one: one.per_sample or float("inf"))
        ],
        "bundle": {
            "folder": tuned.bundle,
            "latency": tuned.bundle_latency,
            "none_because": tuned.no_bundle,
        },
        "search": encode(tuned.found),
        "broken_off": tuned.phase if tuned.is_broken_off else "",
        "seconds": tuned.seconds,
        "folder": tuned.folder,
    }


def _lane(one: Ranked, title: str, tuned: Tuned) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "label": candidate.label,
        "title": title,
        "cell": candidate.cell.as_dict(),
        "threads": candidate.threads,
        "place": one.place,
        "why": "" if one.place != "left out" else why_left_out(one, tuned),
        "kind": one.kind,
        "limits": list(one.limits),
        "cost": encode(candidate.cost),
        "num_bytes": candidate.num_bytes,
        "latency": encode(one.latency),
        "ratio": encode(one.ratio),
        "against_ship": encode(one.against_pick),
        "num_turns": one.num_turns,
        "num_void": one.num_void,
        "left_after_round": one.left_after,
    }
