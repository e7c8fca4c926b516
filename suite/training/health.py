"""Training health: diagnoses a finished training from its curves alone; each finding names a remedy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Final

from suite.results.train import HealthSign

GAP: Final = 1.5
"""Validation loss over training loss above which the model overfits."""
RISE: Final = 1.1
"""Final validation loss over the lowest one."""
WIDE_GAP: Final = 5.0
"""Validation loss over training loss above which the model has learned its samples by heart, risen or not."""
LEFT: Final = 0.2
"""Share of the first training loss below which a validation loss is small, whatever the gap."""
LEAST_FALL: Final = 0.95
"""A loss that stays above this share of its initial value has not converged."""
EXPLODING: Final = 100.0
"""Gradient norm over its median."""
VANISHING: Final = 1e-5
"""Root mean square gradient of the weakest layer over that of the strongest."""
WAITING: Final = 0.4
"""Share of a step's time spent waiting for data."""
DEAD: Final = 0.5
"""Share of a layer's units that are never active."""
SPREAD: Final = 0.3
"""Relative difference of the loss between two seeds at the same step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What was recorded of a training, as plain numbers."""

    losses: Sequence[float]
    norms: Sequence[float]
    validation: Sequence[tuple[int, float]] = ()
    waiting: float = 0.0
    """Share of the time spent waiting for data."""
    num_workers: int = 0
    gradients: Mapping[str, float] = field(default_factory=dict)
    """Layer -> root mean square of its gradient."""
    without_gradient: Sequence[str] = ()
    dead: Mapping[str, float] = field(default_factory=dict)
    """Layer -> share of units that are never active on the validation split."""
    other_seed: tuple[float, float] | None = None
    """Smoothed loss at one step, for this seed and for another."""
    plays: bool = False
    """True for two players (a GAN): their losses do not measure progress."""


def diagnose(signs: Signs) -> list[HealthSign]:
    """Return the findings; an empty list means a healthy training."""
    found = (look(signs) for look in LOOKS)
    return [sign for sign in found if sign is not None]


def smoothed(losses: Sequence[float], window: int = 8) -> tuple[float, float]:
    """Return the means of the first and of the last `window` losses (fewer where there are fewer)."""
    width = max(1, min(window, len(losses) // 2))
    return fmean(losses[:width]), fmean(losses[-width:])


def overfitting(signs: Signs) -> HealthSign | None:
    """Report a validation loss above the training loss: one that rises again, or one that never came near it."""
    if len(signs.validation) < 2 or signs.plays:
        return None
    last, best = signs.validation[-1][1], min(loss for _, loss in signs.validation)
    first, trained = smoothed(signs.losses)
    has_risen = last > GAP * trained and last > RISE * best
    if has_risen or (last > WIDE_GAP * trained and last > LEFT * first):
        return HealthSign(
            code="overfitting",
            summary=f"validation loss {last:.3g} against training loss {trained:.3g}, best {best:.3g}",
            cure="stop earlier (Training.patience), more data or augmentation, dropout, a larger weight_decay",
        )
    return None


def no_convergence(signs: Signs) -> HealthSign | None:
    """Report a loss that did not fall."""
    first, last = smoothed(signs.losses)
    if signs.plays or last < LEAST_FALL * first:
        return None
    return HealthSign(
        code="no-convergence",
        summary=f"training loss {first:.3g} -> {last:.3g} over {len(signs.losses)} steps",
        cure="another learning_rate (ten times lower, then higher), more steps, check labels and normalization",
    )


def exploding(signs: Signs) -> HealthSign | None:
    """Report a gradient norm far above the median or not finite."""
    if not signs.norms:
        return None
    usual, largest = median(signs.norms), max(signs.norms)
    if math.isfinite(largest) and largest <= EXPLODING * max(usual, 1e-12):
        return None
    return HealthSign(
        code="exploding-gradients",
        summary=f"gradient norm up to {largest:.3g}, median {usual:.3g}",
        cure="a lower learning_rate, a longer warmup, a smaller clip, normalization layers",
    )


def vanishing(signs: Signs) -> HealthSign | None:
    """Report a layer whose gradient is negligible compared with the others."""
    if len(signs.gradients) < 2:
        return None
    weakest = min(signs.gradients, key=lambda name: signs.gradients[name])
    strongest = max(signs.gradients.values())
    if strongest <= 0 or signs.gradients[weakest] >= VANISHING * strongest:
        return None
    return HealthSign(
        code="vanishing-gradients",
        summary=f"{weakest} gets a gradient of {signs.gradients[weakest]:.2g} rms, the strongest {strongest:.2g}",
        cure="residual connections or normalization, ReLU-like activations, an initialization that keeps the variance",
    )


def dead_units(signs: Signs) -> HealthSign | None:
    """Report units that are never active: they get no gradient and do not recover."""
    bad = {name: share for name, share in signs.dead.items() if share > DEAD}
    if not bad:
        return None
    worst = max(bad, key=lambda name: bad[name])
    return HealthSign(
        code="dead-units",
        summary=f"{bad[worst]:.0%} of the units of {worst} are never active ({len(bad)} such layers)",
        cure="a lower learning_rate, leaky activations, normalization before the activation",
    )


def no_gradient(signs: Signs) -> HealthSign | None:
    """Report trainable weights that take no part in the loss."""
    if not signs.without_gradient:
        return None
    names = ", ".join(signs.without_gradient[:3])
    return HealthSign(
        code="no-gradient",
        summary=f"{len(signs.without_gradient)} weights get no gradient: {names}",
        cure="use them in the forward pass or the loss, or freeze them (requires_grad_(False))",
    )


def data_bound(signs: Signs) -> HealthSign | None:
    """Report a training that waits for its data."""
    if signs.waiting <= WAITING:
        return None
    return HealthSign(
        code="data-loader-bound",
        summary=f"{signs.waiting:.0%} of the time was spent waiting for data with num_workers={signs.num_workers}",
        cure="more num_workers (see pytest bench -k dataloader), cheaper augmentation, decoded pictures kept in memory",
    )


def unstable(signs: Signs) -> HealthSign | None:
    """Report a loss that depends strongly on the seed."""
    if signs.other_seed is None or signs.plays:
        return None
    this, other = signs.other_seed
    difference = abs(this - other) / max(abs(this), abs(other), 1e-12)
    if difference <= SPREAD:
        return None
    return HealthSign(
        code="unstable-across-seeds",
        summary=f"loss {this:.3g} with this seed and {other:.3g} with another at the same step",
        cure="a longer warmup, a lower learning_rate, a larger batch; report the spread over seeds, not one run",
    )


LOOKS: Final[tuple[Callable[[Signs], HealthSign | None], ...]] = (
    overfitting,
    no_convergence,
    exploding,
    vanishing,
    dead_units,
    no_gradient,
    data_bound,
    unstable,
)
"""All checks, in the order in which findings are shown."""
