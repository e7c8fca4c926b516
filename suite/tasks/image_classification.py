"""Worker side. Image classification: one label for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from suite.data.samples import Dataset, Image
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.pictures import (
    facts_of,
    frame,
    image_of,
    normalized,
    picture_examples,
    randomness,
    refuse_more_classes,
)


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """X [samples, channels, side, side]; targets: labels [samples]."""
    side, channels = inputs["side"], inputs["channels"]
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts=facts_of(source, split, f"resized to {side}x{side}x{channels}, normalized"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per picture; raises DataError when there are more classes than the model's `classes`."""
    result = picture_examples(labelled, inputs, source, seed=seed, split=split)
    refuse_more_classes(result.data, inputs, source)
    return result


def labelled(
    data: Dataset[Image],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    """The picture as x [channels, side, side] and its label."""
    sample = data[index]
    with randomness(rng):
        framed = frame(inputs["side"], data, is_training=is_training)(image_of(sample.pixels))
    return Example(
        inputs={"x": normalized(framed, inputs["channels"])},
        targets={"labels": torch.tensor(sample.label)},
    )
