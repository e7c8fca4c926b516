"""Worker side. Image generation: noise to paint from, and real pictures to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2

from suite.data.samples import Dataset, Image
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.pictures import facts_of, frame, image_of, picture_examples, randomness


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Z [samples, latent, 1, 1]; targets: images [samples, 3, side, side] within -1..1."""
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts=facts_of(
            source, split, f"seeded normal noise; real pictures at {inputs['side']}, within -1..1"
        ),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per real picture, each with noise of its own."""
    return picture_examples(_noise_and_picture, inputs, source, seed=seed, split=split)


def _noise_and_picture(
    data: Dataset[Image],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    image = image_of(data[index].pixels)
    with randomness(rng):
        noise = torch.randn(inputs["latent"], 1, 1)
        framed = frame(inputs["side"], data, is_training=is_training)(image)
    real = v2.functional.to_dtype(framed, torch.float32, scale=True).as_subclass(torch.Tensor)
    return Example(inputs={"z": noise}, targets={"images": real * 2 - 1})
