"""Worker side. Image classification: one label per picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from suite.data.samples import Dataset, Image
from suite.data.sources import Source
from suite.tasks.accuracy import judge, loss, summarize, trivial
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.framing import framed, room, scaled, tensor_of
from suite.tasks.pictures import (
    LEAST,
    data_set,
    framing_for,
    normalized,
    picture_examples,
    refuse_more_classes,
)

__all__ = ["batch", "examples", "judge", "labelled", "loss", "ready", "summarize", "trivial"]


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return x [samples, channels, side, side]; targets: labels [samples]."""
    side, channels = inputs["side"], inputs["channels"]
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(source, split, f"resized to {side}x{side}x{channels}, normalized"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per picture; raise DataError if there are more classes than the model's `classes`."""
    result = picture_examples(labelled, ready, inputs, source, seed=seed, split=split)
    refuse_more_classes(result.data, inputs, source)
    return result


def ready(sample: Image, *, inputs: Mapping[str, Any], is_training: bool) -> Image:
    """Return the picture at the size from which it is framed."""
    size = room(sample.pixels.shape[:2], inputs["side"], is_training=is_training, least=LEAST)
    return replace(sample, pixels=scaled(sample.pixels, *size))


def labelled(
    data: Dataset[Image],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    """Return the picture as x [channels, side, side] and its label."""
    sample = data[index]
    picture = tensor_of(sample.pixels)
    framing = framing_for(picture, inputs["side"], data, rng, is_training=is_training)
    return Example(
        inputs={"x": normalized(framed(picture, framing), inputs["channels"], framing)},
        targets={"labels": torch.tensor(sample.label)},
    )
