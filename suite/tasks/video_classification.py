"""Worker side. Video classification: one label per clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suite.data.samples import Clip, Dataset
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

__all__ = ["batch", "examples", "judge", "loss", "summarize", "trivial"]


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return x [samples, 3, frames, side, side]; targets: labels [samples]."""
    frames, side = inputs["frames"], inputs["side"]
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(source, split, f"{frames} frames, resized to {side}x{side}, normalized"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per clip; raise DataError if there are more classes than the model's `classes`."""
    result = picture_examples(_labelled, _ready, inputs, source, seed=seed, split=split)
    refuse_more_classes(result.data, inputs, source)
    return result


def _ready(sample: Clip, *, inputs: Mapping[str, Any], is_training: bool) -> Clip:
    """Return the model's frames at the size from which they are framed."""
    size = room(sample.frames.shape[1:3], inputs["side"], is_training=is_training, least=LEAST)
    return replace(sample, frames=scaled(_chosen(sample.frames, inputs["frames"]), *size))


def _labelled(
    data: Dataset[Clip],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    """Return x [3, frames, side, side]; in training all frames share one random framing."""
    sample = data[index]
    clip = tensor_of(_chosen(sample.frames, inputs["frames"]))
    framing = framing_for(clip, inputs["side"], data, rng, is_training=is_training)
    pixels = normalized(framed(clip, framing), 3, framing)
    return Example(
        inputs={"x": pixels.permute(1, 0, 2, 3).contiguous()},
        targets={"labels": torch.tensor(sample.label)},
    )


def _chosen(frames: NDArray[np.uint8], wanted: int) -> NDArray[np.uint8]:
    """Return `wanted` frames, evenly spaced from the first to the last."""
    if len(frames) == wanted:
        return frames
    return frames[np.linspace(0, len(frames) - 1, wanted).round().astype(np.int64)]
