"""Worker side. Pictures made ready for a model: framed, augmented in training only, normalized."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from suite.data.errors import DataError
from suite.data.samples import Dataset
from suite.data.sources import Source
from suite.tasks.examples import Example, Examples, must_hold

NORMALIZATION: Final = {
    # channels -> mean, deviation
    1: ((0.5,), (0.5,)),
    3: (
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
    ),  # of ImageNet, as all published weights expect
}

Frame = Callable[..., Any]
"""A torchvision transform of tv_tensors."""


def picture_examples(
    make: Callable[..., Example],
    inputs: Mapping[str, Any],
    source: Source,
    *,
    seed: int,
    split: str,
) -> Examples:
    """One example per sample, by `make(data, index, rng, inputs=..., is_training=...)`.

    Raises DataError when the split is empty.
    """
    data: Dataset[Any] = import_module(f"suite.data.{source.name}").load(source.root, split)
    must_hold(data, source, split, "at least one sample")
    return Examples(
        data=data,
        make=partial(make, inputs=inputs, is_training=split == "train"),
        seed=seed,
        indices=range(len(data)),
    )


def refuse_more_classes(data: Dataset[Any], inputs: Mapping[str, Any], source: Source) -> None:
    """Raises DataError when the data set has more classes than the model has outputs."""
    if len(data.classes) > inputs["classes"]:
        raise DataError(
            f"{source.root or source.name}: {len(data.classes)} classes ({', '.join(data.classes[:5])} ...)"
            f" for a model with {inputs['classes']} outputs; expected as many classes as outputs, or fewer"
        )


def image_of(pixels: np.ndarray[Any, Any]) -> tv_tensors.Image:
    """[height, width, 3] of bytes as torchvision's picture [3, height, width]."""
    return tv_tensors.Image(torch.tensor(pixels).permute(2, 0, 1).contiguous())


def frame(side: int, data: Dataset[Any], *, is_training: bool, least: float = 0.7) -> Frame:
    """To side x side: the whole short side, centred; in training a random part of at least `least` of the area.

    Mirrored in training only where the data set says that this keeps the label: a mirrored digit is none.
    """
    steps = [v2.Resize(side, antialias=True), v2.CenterCrop(side)]
    if is_training:
        steps = [
            v2.RandomResizedCrop(side, scale=(least, 1.0), ratio=(0.9, 1.1), antialias=True),
            *mirror(data),
            v2.ColorJitter(brightness=0.2, contrast=0.2),
        ]
    transform: Frame = v2.Compose(steps)
    return transform


def mirror(data: Dataset[Any]) -> list[Any]:
    """The random mirroring that the data set allows."""
    allowed = getattr(data, "keeps_label_when_mirrored", False)
    return [v2.RandomHorizontalFlip()] if allowed else []


def normalized(image: Tensor, channels: int) -> Tensor:
    """Bytes [..., 3, height, width] as float32 [..., channels, height, width] around 0; one channel is grey."""
    if channels == 1:
        image = v2.functional.rgb_to_grayscale(image)
    mean, deviation = NORMALIZATION[channels]
    scaled = v2.functional.to_dtype(image, torch.float32, scale=True)
    result: Tensor = v2.functional.normalize(scaled, list(mean), list(deviation))
    return result.as_subclass(Tensor)


@contextmanager
def randomness(rng: np.random.Generator) -> Iterator[None]:
    """Within the block torch's random numbers, which the transforms draw from, follow from `rng`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        yield


def facts_of(source: Source, split: str, preprocessing: str) -> dict[str, str]:
    """What a batch says of its origin."""
    return {"data": source.name, "split": split, "preprocessing": preprocessing}
