"""Worker side. Image generation: noise as the input, and real pictures to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from suite.data.samples import Dataset, Image
from suite.data.sources import Source
from suite.tasks import image_classification
from suite.tasks.adversaries import Player
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.framing import centred, framed, tensor_of
from suite.tasks.outputs import must_be_finite
from suite.tasks.pictures import data_set, may_mirror, picture_examples
from suite.tasks.wasserstein import features, sliced_wasserstein

REAL: Final = 0.9
"""Discriminator target for real pictures: below 1 against overconfidence (one-sided label smoothing, Salimans et al.,
2016)."""

NOISE: Final = 0.5
"""Standard deviation of the instance noise on all of the discriminator's training inputs, which are within -1..1
(Sønderby et al., 2017). Without it the discriminator separates the first generated pictures perfectly and its gradient
vanishes: after 150 steps of the tiny DCGAN the distance to real digits is 0.53 without and 0.15 with noise; trivial
0.33."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return z [samples, latent, 1, 1]; targets: images [samples, 3, side, side] within -1..1."""
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(
            source, split, f"seeded normal noise; real pictures at {inputs['side']}, within -1..1"
        ),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per real picture, each with its own noise."""
    return picture_examples(_noise_and_picture, _ready, inputs, source, seed=seed, split=split)


def players(module: nn.Module) -> tuple[Player, ...]:
    """Return the discriminator, then the generator, which play the non-saturating game of Goodfellow et al., 2014.

    Raise ValueError if the module lacks `generator` or `discriminator`.
    """
    for part in ("generator", "discriminator"):
        if not isinstance(getattr(module, part, None), nn.Module):
            raise ValueError(
                f"{type(module).__name__} has no module `{part}`; expected `generator` (noise -> picture) and"
                " `discriminator` (picture -> logit). Next: name these parts so, or give the record a loss of your"
                ' own, Training(loss="package.module:function")'
            )
    return tuple(
        Player(
            name=name,
            parameters=[p for p in getattr(module, name).parameters() if p.requires_grad],
            loss=partial(own, module),
        )
        for name, own in (("discriminator", loss), ("generator", deception_loss))
    )


def loss(module: Any, batch: Batch) -> Tensor:
    """Return the discriminator's loss: cross entropy on real and (detached) generated pictures; scalar."""
    with torch.no_grad():
        painted = _painted(module, batch)
    real = _judged(module, batch.targets["images"])
    fake = _judged(module, painted)
    return _entropy(real, REAL) + _entropy(fake, 0.0)


def deception_loss(module: Any, batch: Batch) -> Tensor:
    """Return the generator's loss: cross entropy of its pictures being classified as real; scalar."""
    return _entropy(_judged(module, _painted(module, batch)), 1.0)


def judge(outputs: Sequence[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return features [samples, 768] of the generated pictures (the first output) and of the batch's real ones.

    Raise ValueError for outputs that are not finite.
    """
    del names
    must_be_finite(outputs)
    return {
        "painted": features(outputs[0].cpu()),
        "real": features(batch.targets["images"].cpu()),
    }


def summarize(parts: Sequence[Mapping[str, Tensor]]) -> float:
    """Return the sliced Wasserstein distance between generated and real pictures; 1.6 between black and white."""
    painted, real = (torch.cat([part[name] for part in parts]) for name in ("painted", "real"))
    return sliced_wasserstein(painted, real)


def trivial(batches: Sequence[Batch]) -> float:
    """Return the smaller distance of two untrained answers: pure noise, and the mean of these pictures."""
    real = torch.cat([batch.targets["images"].cpu() for batch in batches])
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    constant = real.mean(dim=0, keepdim=True).expand_as(real)
    return min(sliced_wasserstein(features(answer), features(real)) for answer in (noise, constant))


def _painted(module: Any, batch: Batch) -> Tensor:
    painted: Tensor = module.generator(*batch.inputs.values())
    return painted


def _judged(module: Any, images: Tensor) -> Tensor:
    """Return the discriminator's logits; in train mode noise is added to the pictures."""
    noisy = images + NOISE * torch.randn_like(images) if module.training else images
    logits: Tensor = module.discriminator(noisy)
    return logits


def _entropy(logits: Tensor, target: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits.float(), target))


def _ready(sample: Image, *, inputs: Mapping[str, Any], is_training: bool) -> Image:
    """Return the picture at the model's side, without random crop and light, which would alter the distribution."""
    del is_training
    return image_classification.ready(sample, inputs=inputs, is_training=False)


def _noise_and_picture(
    data: Dataset[Image],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    picture = tensor_of(data[index].pixels)
    picture = framed(picture, centred(picture.shape[-2], picture.shape[-1], inputs["side"]))
    if is_training and may_mirror(data) and rng.random() < 0.5:
        picture = picture.flip(-1)
    return Example(
        inputs={"z": torch.randn(inputs["latent"], 1, 1, generator=generator)},
        targets={"images": picture.float().div_(127.5).sub_(1).contiguous()},
    )
