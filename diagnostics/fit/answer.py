"""Compares what a model needs with what a card has."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from diagnostics.fit.cards import Card
from diagnostics.fit.memory import BITS, Part, Use, largest_context, parts, total
from diagnostics.fit.shape import Interval, Model


class Verdict(StrEnum):
    """What can be said."""

    FITS = "fits"
    """The upper bound is below what the card has at least."""
    TOO_LARGE = "does not fit"
    """The lower bound is above what the card has at most."""
    OPEN = "cannot tell"
    """The bounds lie on both sides, or no card is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One model, one use, one card."""

    model: Model
    use: Use
    parts: tuple[Part, ...]
    needed: Interval
    card: Card | None
    verdict: Verdict
    ways: tuple[str, ...] = ()
    """Changes of the use with which it fits."""


def answer(model: Model, use: Use, card: Card | None) -> Answer:
    """Return whether the model fits the card."""
    found = parts(model, use)
    needed = total(found)
    if _is_partial(model):
        needed = Interval(low=needed.low, high=math.inf)
    verdict = Verdict.OPEN
    if card is not None:
        room = card.memory
        # A lower bound alone proves that it does not fit, never that it does.
        if needed.high <= room.low:
            verdict = Verdict.FITS
        elif needed.low > room.high:
            verdict = Verdict.TOO_LARGE
    ways = _ways(model, use, card) if card is not None and verdict is not Verdict.FITS else ()
    return Answer(
        model=model, use=use, parts=found, needed=needed, card=card, verdict=verdict, ways=ways
    )


def _is_partial(model: Model) -> bool:
    """True where activations and cache are not known, so that all that is counted is a lower bound."""
    return model.transformer is None


def _ways(model: Model, use: Use, card: Card) -> tuple[str, ...]:
    """Changes after which the upper bound is within the card, each by itself."""
    if _is_partial(model):
        return ()
    room = card.memory.low
    found = []
    context = largest_context(model, use, room, use.context)
    if context >= min(256, use.context):
        found.append(f"--context {context}")
    tries = {"--batch 1": replace(use, batch=1)} if use.batch > 1 else {}
    if use.training:
        tries |= {
            "--checkpointing": replace(use, checkpointing=True),
            "--optimizer adamw8bit": replace(use, optimizer="adamw8bit"),
            "--trainable 0.01 (adapters, such as LoRA)": replace(use, trainable=0.01),
            "--trainable 0.01 --dtype int4 (QLoRA)": replace(use, trainable=0.01, dtype="int4"),
            "--trainable 0.01 --dtype int4 --checkpointing": replace(
                use, trainable=0.01, dtype="int4", checkpointing=True
            ),
        }
    else:
        smaller = [name for name in ("bfloat16", "int8", "int4") if BITS[name] < BITS[use.dtype]]
        tries |= {f"--dtype {name}": replace(use, dtype=name) for name in smaller}
        tries["--cache-dtype float8"] = replace(use, cache_dtype="float8")
    found += [
        name for name, other in tries.items()
        if other != use and total(parts(model, other)).high <= room
    ]  # fmt: skip
    return tuple(found)
