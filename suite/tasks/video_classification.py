"""Worker side. Video classification: one label for a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torchvision import tv_tensors

from suite.data.samples import Clip, Dataset
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.pictures import (
    facts_of,
    frame,
    normalized,
    picture_examples,
    randomness,
    refuse_more_classes,
)


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """X [samples, 3, frames, side, side]; targets: labels [samples]."""
    frames, side = inputs["frames"], inputs["side"]
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts=facts_of(source, split, f"{frames} frames, resized to {side}x{side}, normalized"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per clip; raises DataError when there are more classes than the model's `classes`."""
    result = picture_examples(_labelled, inputs, source, seed=seed, split=split)
    refuse_more_classes(result.data, inputs, source)
    return result


def _labelled(
    data: Dataset[Clip],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    """Frames evenly from the first to the last; one random frame for all of them in training."""
    sample = data[index]
    chosen = np.linspace(0, len(sample.frames) - 1, inputs["frames"]).round().astype(np.int64)
    clip = tv_tensors.Video(torch.from_numpy(sample.frames[chosen]).permute(0, 3, 1, 2))
    with randomness(rng):
        framed = frame(inputs["side"], data, is_training=is_training)(clip)
    return Example(
        inputs={"x": normalized(framed, 3).permute(1, 0, 2, 3).contiguous()},
        targets={"labels": torch.tensor(sample.label)},
    )
