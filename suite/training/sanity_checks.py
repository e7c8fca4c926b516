"""Worker side. Sanity checks of a training: additional short runs whose outcome is known if everything works."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from suite.axes import device_kind
from suite.claims import Claim
from suite.quality import change_unit, gain, shown
from suite.training import checkpoint
from suite.training.health import smoothed
from suite.training.loaders import moved
from suite.training.loop import TrainingHistory, fit
from suite.training.quality import mean_loss
from suite.training.setup import TrainingSetup
from suite.weights import module_for

PROBE: Final = 3
"""Steps before, and steps after, the checkpoint that is resumed from: the first after it needs the weights, the place
in the data and the random state; the second what the optimizer held; the third the schedule."""

LOOKS: Final = 6
"""Times that the batch to overfit is judged: a net that has it by heart early need not go on to the last step."""

SEED_SHARE: Final = 16
"""Another seed trains for this part of the steps, and for at least LEAST_SEED_STEPS."""
LEAST_SEED_STEPS: Final = 8


def overfit(setup: TrainingSetup, module: nn.Module) -> Claim:
    """Check that the model can overfit a single small batch, which requires a working model, loss and gradients.

    Compares the batch's loss in eval mode, without dropout, before and after; ends as soon as it has fallen far enough.
    """
    settings = setup.settings
    rate = settings.overfit_rate or settings.learning_rate
    alone = replace(
        setup,
        steps=settings.overfit_steps,
        settings=replace(
            settings,
            learning_rate=rate,
            schedule="constant",
            warmup=0.0,
            weight_decay=0.0,
            batch=settings.overfit_samples,
            micro_batch=0,
        ),
    )
    batch = moved(next(alone.batches()), setup.device)
    train_state = alone.train_state(module)
    if len(train_state.players) > 1:  # only the discriminator trains
        train_state.players, train_state.optimizers = (
            train_state.players[:1],
            train_state.optimizers[:1],
        )
    torch.manual_seed(setup.seed)
    before, after = mean_loss(module, setup.loss, [batch], setup.device), math.inf
    every = max(1, settings.overfit_steps // LOOKS)
    until = 0
    while until < settings.overfit_steps and not after < settings.overfit_to * before:
        until = min(until + every, settings.overfit_steps)
        fit(train_state, repeat(batch), until=until)
        after = mean_loss(module, setup.loss, [batch], setup.device)
    return Claim(
        name="a single batch can be overfitted",
        holds=after < settings.overfit_to * before,
        evidence=(
            f"loss of {batch.num_samples} samples {before:.4g} -> {after:.4g} in {until} steps;"
            f" expected below {settings.overfit_to:g} of the first within {settings.overfit_steps}"
        ),
    )


def repeated(setup: TrainingSetup, module: nn.Module) -> list[float]:
    """Return the losses of the training's first steps, repeated with `module`, rebuilt from the same weights. The
    second half runs from a checkpoint loaded into a model and optimizers of another seed.
    """
    seed = setup.seed
    first = setup.train_state(module)
    torch.manual_seed(seed)
    history = fit(first, setup.batches(), until=PROBE)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(first, history, Path(folder))
        second = setup.train_state(module_for(setup.spec, setup.size, seed=seed + 1))
        history = checkpoint.load(second, Path(folder))
    fit(second, setup.batches(start=PROBE), until=2 * PROBE, history=history)
    return history.losses


def other_seed(setup: TrainingSetup, history: TrainingHistory) -> tuple[float, float] | None:
    """Return the smoothed loss at one early step, for this seed and another; None if the training was too short."""
    done = min(len(history.losses), setup.steps)
    steps = max(LEAST_SEED_STEPS, done // SEED_SHARE)
    if done < 4 * LEAST_SEED_STEPS:
        return None
    twin = replace(setup, seed=setup.seed + 1)
    train_state = twin.train_state(module_for(setup.spec, setup.size, seed=twin.seed))
    torch.manual_seed(twin.seed)
    losses = fit(train_state, twin.batches(), until=steps).losses
    return smoothed(history.losses[:steps])[1], smoothed(losses)[1]


def same_claims(losses: Sequence[float], again: Sequence[float], device: str) -> list[Claim]:
    """Check that two runs with one seed agree and that a resumed run continues exactly."""
    # cuDNN and CUDA atomics may add in another order, in bfloat16, and every step enlarges the difference (an H200:
    # 1.2% in Faster R-CNN after five steps, 2.5% in FCN after ten); a CPU with one number of threads does not.
    allowed = device_kind(device).seed_tolerance
    rows = (
        ("two runs with one seed agree", range(PROBE)),
        ("a run resumed from its checkpoint goes on exactly", range(PROBE, 2 * PROBE)),
    )
    return [
        Claim(
            name=name,
            holds=len(again) >= steps.stop
            and all(
                abs(losses[i] - again[i]) <= allowed * abs(losses[i])
                for i in steps
                if i < len(losses)
            ),
            evidence=(
                f"losses of steps {steps.start + 1} to {steps.stop}:"
                f" {_listed(losses, steps)} and {_listed(again, steps)}"
            ),
        )
        for name, steps in rows
    ]


def learnt_claims(
    setup: TrainingSetup,
    history: TrainingHistory,
    *,
    untrained: float,
    trivial: float,
    after: float,
    plays: bool,
) -> list[Claim]:
    """Check that the loss fell, and that the metric beats the untrained model and the trivial baseline by the record's
    margin.
    """
    task, margin = setup.spec.scale, setup.settings.margin
    first, last = smoothed(history.losses)
    gains = {
        "untrained": gain(task, untrained, after),
        "trivial": gain(task, trivial, after),
    }
    unit = change_unit(task)
    fell = Claim(
        name="the loss falls",
        holds=last < first,
        evidence=f"mean training loss of the first steps {first:.4g}, of the last {last:.4g}",
    )
    if plays:  # in a GAN one player's loss rises when the other learns
        fell = Claim(
            name="both players stay in the game",
            holds=all(abs(loss) < 1e3 for loss in history.losses),
            evidence=f"sum of the players' losses {first:.4g} at first, {last:.4g} at last",
        )
    return [
        fell,
        Claim(
            name="better than untrained and than the trivial baseline",
            holds=min(gains.values()) >= margin,
            evidence=(
                f"{shown(task, after)}; untrained {untrained:.4g} ({gains['untrained']:+.3g} {unit}), trivial"
                f" {trivial:.4g} ({gains['trivial']:+.3g} {unit}); expected at least +{margin:g} {unit}"
            ),
        ),
    ]


def finite_claim(module: nn.Module) -> Claim:
    """Check that no weight became NaN or infinite."""
    bad = [
        name
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    return Claim(
        name="all weights are finite",
        holds=not bad,
        evidence=f"{len(bad)} tensors with NaN or infinity{': ' + bad[0] if bad else ''}",
    )


def _listed(losses: Sequence[float], steps: range) -> list[Any]:
    return [round(losses[i], 6) for i in steps if i < len(losses)]
