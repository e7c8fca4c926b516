"""Worker side. Semantic segmentation: pictures with a class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision import tv_tensors

from suite.data.errors import DataError
from suite.data.samples import Dataset, Scene
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
)

VOC: Final = (
    *("airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dining table", "dog", "horse", "motorcycle", "person", "potted plant", "sheep", "couch"),
    *("train", "tv"),
)
"""The 20 classes of Pascal VOC by COCO's names, in VOC's order: what torchvision's checkpoints were trained on."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """X [samples, 3, side, side]; targets: classes [samples, side, side], 0 = background."""
    side = inputs["side"]
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts=facts_of(source, split, f"cropped to {side}x{side}, normalized"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per picture; raises DataError when the data set's classes do not fit the model's."""
    result = picture_examples(_mapped, inputs, source, seed=seed, split=split)
    if outputs_for(result.data.classes, inputs["classes"]) is None:
        raise DataError(
            f"{source.root or source.name}: {len(result.data.classes)} classes for a model with"
            f" {inputs['classes']} outputs; expected as many or fewer, or 21 outputs and COCO's classes,"
            " of which those of Pascal VOC are used"
        )
    return result


def outputs_for(classes: Sequence[str], num_outputs: int) -> NDArray[np.int64] | None:
    """Label of the data set -> output of the model, [classes]; None when they do not fit.

    The labels themselves where there are enough outputs. COCO for 21 outputs: Pascal VOC's classes, all else
    is background, as torchvision trained its checkpoints.
    """
    if len(classes) <= num_outputs:
        return np.arange(len(classes))
    if num_outputs == len(VOC) + 1 and set(VOC) <= set(classes):
        return np.array([VOC.index(name) + 1 if name in VOC else 0 for name in classes])
    return None


def class_map(sample: Scene, outputs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of every pixel [height, width]; where objects overlap, the smallest wins, else it would vanish."""
    result = np.zeros(sample.pixels.shape[:2], dtype=np.int64)
    for number in np.argsort(-sample.masks.sum(axis=(1, 2)), kind="stable"):
        if output := outputs[sample.labels[number]]:
            result[sample.masks[number]] = output
    return result


def _mapped(
    data: Dataset[Scene],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    sample = data[index]
    outputs = outputs_for(data.classes, inputs["classes"])
    assert outputs is not None, "examples() refuses such data sets"
    classes = tv_tensors.Mask(torch.from_numpy(class_map(sample, outputs))[None])
    with randomness(rng):
        image, classes = frame(inputs["side"], data, is_training=is_training, least=0.5)(
            image_of(sample.pixels), classes
        )
    return Example(
        inputs={"x": normalized(image, 3)},
        targets={"classes": classes[0].as_subclass(torch.Tensor)},
    )
