"""Worker side. Semantic segmentation: pictures with a class per pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from suite.data.errors import DataError
from suite.data.samples import Dataset, Scene
from suite.data.sources import Source
from suite.tasks.accuracy import AUXILIARY
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.framing import framed, framed_classes, room, scaled, scaled_masks, tensor_of
from suite.tasks.outputs import must_be_finite, must_have_outputs, tensors_of
from suite.tasks.pictures import data_set, framing_for, normalized, picture_examples

LEAST: Final = 0.5
"""Smallest share of the area in a random crop."""

VOC: Final = (
    *("airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dining table", "dog", "horse", "motorcycle", "person", "potted plant", "sheep", "couch"),
    *("train", "tv"),
)
"""The 20 classes of Pascal VOC by COCO's names, in VOC's order, on which torchvision's checkpoints were trained."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return x [samples, 3, side, side]; targets: classes [samples, side, side], 0 = background."""
    side = inputs["side"]
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(source, split, f"cropped to {side}x{side}, normalized"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per picture; raise DataError if the data set's classes do not fit the model's."""
    result = picture_examples(_mapped, _ready, inputs, source, seed=seed, split=split)
    if outputs_for(result.data.classes, inputs["classes"]) is None:
        raise DataError(
            f"{source.root or source.name}: {len(result.data.classes)} classes for a model with"
            f" {inputs['classes']} outputs; expected as many or fewer, or 21 outputs and COCO's classes,"
            " of which those of Pascal VOC are used"
        )
    return result


def outputs_for(classes: Sequence[str], num_outputs: int) -> NDArray[np.int64] | None:
    """Return label of the data set -> output of the model, [classes]; None if they do not fit.

    With enough outputs, the labels themselves. COCO for 21 outputs: Pascal VOC's classes, the rest is background, as in
    torchvision's training of its checkpoints. Two outputs: objects of every class against the background.
    """
    if len(classes) <= num_outputs:
        return np.arange(len(classes))
    if num_outputs == 2:
        return np.minimum(np.arange(len(classes)), 1)
    if num_outputs == len(VOC) + 1 and set(VOC) <= set(classes):
        return np.array([VOC.index(name) + 1 if name in VOC else 0 for name in classes])
    return None


def class_map(sample: Scene, outputs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class of every pixel [height, width]; the smallest of overlapping objects wins, lest it vanish."""
    result = np.zeros(sample.pixels.shape[:2], dtype=np.int64)
    for number in np.argsort(-sample.masks.sum(axis=(1, 2)), kind="stable"):
        if output := outputs[sample.labels[number]]:
            result[sample.masks[number]] = output
    return result


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the mean cross entropy over pixels of the first output, logits [samples, classes, side, side]; scalar.

    Further outputs of that shape are auxiliary heads (torchvision's `aux`), weighted by 0.4. Raise ValueError for
    classes without an output.
    """
    classes = batch.targets["classes"]
    logits, *others = tensors_of(module(**batch.inputs))
    must_have_outputs(classes, logits.shape[1])
    total = cross_entropy(logits.float(), classes)
    for other in others:
        if other.shape == logits.shape:
            total = total + AUXILIARY * cross_entropy(other.float(), classes)
    return total


def judge(outputs: Sequence[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return the batch's confusion matrix [classes, classes]; raise ValueError for outputs that are not finite."""
    del names  # the logits come first
    must_be_finite(outputs[:1])
    found = outputs[0].argmax(dim=1).cpu()
    return {"counts": confusion(found, batch.targets["classes"].cpu(), outputs[0].shape[1])}


def summarize(parts: Sequence[Mapping[str, Tensor]]) -> float:
    """Return the mean IoU in % over the classes that occur in the targets."""
    return mean_iou(torch.stack([part["counts"] for part in parts]).sum(dim=0))


def trivial(batches: Sequence[Batch]) -> float:
    """Return the mean IoU in % of predicting the most frequent class, the background, everywhere."""
    truth = torch.cat([batch.targets["classes"].flatten().cpu() for batch in batches])
    found = torch.full_like(truth, int(truth.bincount().argmax()))
    return mean_iou(confusion(found, truth, int(truth.max()) + 1))


def _ready(sample: Scene, *, inputs: Mapping[str, Any], is_training: bool) -> Scene:
    """Return the picture and its masks at the size from which they are framed."""
    size = room(sample.pixels.shape[:2], inputs["side"], is_training=is_training, least=LEAST)
    return replace(
        sample, pixels=scaled(sample.pixels, *size), masks=scaled_masks(sample.masks, *size)
    )


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
    classes = torch.from_numpy(class_map(sample, outputs))
    picture = tensor_of(sample.pixels)
    framing = framing_for(picture, inputs["side"], data, rng, is_training=is_training, least=LEAST)
    return Example(
        inputs={"x": normalized(framed(picture, framing), 3, framing)},
        targets={"classes": framed_classes(classes, framing).contiguous()},
    )


# Confusion matrix of true and predicted pixel classes, and the mean IoU computed from it.


def confusion(found: Tensor, truth: Tensor, num_classes: int) -> Tensor:
    """Return the confusion matrix [classes, classes]: row = true class, column = predicted class.

    Both inputs are integers of the same shape. Raise ValueError for a class outside 0..classes - 1.
    """
    for values, what in ((found, "class given"), (truth, "true class")):
        if values.numel() and (values.min() < 0 or values.max() >= num_classes):
            raise ValueError(
                f"{what} {int(values.max() if values.max() >= num_classes else values.min())} with"
                f" {num_classes} classes; expected 0 to {num_classes - 1}"
            )
    pairs = truth.flatten() * num_classes + found.flatten()
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


def mean_iou(counts: Tensor) -> float:
    """Return the mean intersection over union in % over the classes that occur in the truth.

    Everingham et al., 2015 (Pascal VOC): intersection / (true + predicted - intersection) per class over the pixels of
    all pictures. Raise ValueError without a pixel.
    """
    counts = counts.double()
    given, true, both = counts.sum(dim=0), counts.sum(dim=1), counts.diagonal()
    occurs = true > 0
    if not occurs.any():
        raise ValueError("there is no pixel to compute the mean IoU of; expected at least one")
    iou = both[occurs] / (true + given - both)[occurs]
    return 100 * float(iou.mean())
