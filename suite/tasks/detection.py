"""Worker side. Object detection: pictures with the boxes and labels of what is on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from suite.data.samples import Dataset, Scene
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples
from suite.tasks.pictures import facts_of, image_of, mirror, picture_examples, randomness

GREY: Final = 114
"""What fills the square beside the picture, of 255: YOLO's usual value, about the mean of photographs."""

LEAST: Final = 1.0
"""Pixels: boxes thinner than this after scaling are dropped; the losses divide by their size."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """images: a list of [3, side, side] or, where `form` is "tensor", one [samples, 3, side, side]; within 0..1.

    Targets: one dictionary per picture with boxes [objects, 4] (x1, y1, x2, y2 in pixels of the square) and labels
    [objects]. Objects whose class the model has no output for are left out.
    """
    found = examples(inputs, source, seed=seed, split=split)
    order = np.random.default_rng((seed, len(found))).permutation(len(found))
    chosen = [found[int(order[i % len(order)])] for i in range(num_samples)]
    side = inputs["side"]
    how = "scaled into, grey beside it," if inputs["keeps_aspect"] else "stretched to"
    facts = facts_of(source, split, f"{how} {side}x{side}, within 0..1")
    left_out = max(0, len(found.data.classes) - inputs["classes"])
    return replace(
        collate(chosen, form=inputs["form"]),
        facts={**facts, **({"classes_without_output": left_out} if left_out else {})},
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per picture; batch them with `DataLoader(..., collate_fn=collate_for(inputs))`."""
    return picture_examples(_boxed, inputs, source, seed=seed, split=split)


def collate_for(inputs: Mapping[str, Any]) -> Any:
    """`collate` in the form that the model takes."""
    return partial(collate, form=inputs["form"])


def collate(chosen: Sequence[Example], *, form: str) -> Batch:
    """One batch; the numbers of objects differ, so that targets stay a list."""
    images = [example.inputs["images"] for example in chosen]
    return Batch(
        inputs={"images": torch.stack(images) if form == "tensor" else images},
        targets=[dict(example.targets) for example in chosen],
        num_samples=len(chosen),
    )


def _boxed(
    data: Dataset[Scene],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    sample = data[index]
    height, width = sample.pixels.shape[:2]
    has_output = sample.labels < inputs["classes"]
    scene = {
        "image": image_of(sample.pixels),
        "boxes": tv_tensors.BoundingBoxes(
            torch.tensor(sample.boxes[has_output]), format="XYXY", canvas_size=(height, width)
        ),
        "labels": torch.tensor(sample.labels[has_output]),
    }
    with randomness(rng):
        scene = _square(
            inputs["side"], data, keeps_aspect=inputs["keeps_aspect"], is_training=is_training
        )(scene)
    pixels = v2.functional.to_dtype(scene["image"], torch.float32, scale=True)
    return Example(
        inputs={"images": pixels.as_subclass(torch.Tensor)},
        targets={
            "boxes": scene["boxes"].as_subclass(torch.Tensor),
            "labels": scene["labels"],
        },
    )


def _square(side: int, data: Dataset[Any], *, keeps_aspect: bool, is_training: bool) -> Any:
    """To side x side, stretched or with grey beside it; in training first distorts colours, zooms out and mirrors."""
    fill = {tv_tensors.Image: GREY, "others": 0}
    changes = [v2.RandomPhotometricDistort(), v2.RandomZoomOut(fill, side_range=(1.0, 1.5))]
    resize = [v2.Resize(size=None, max_size=side, antialias=True), partial(_fill_to, side=side)]
    return v2.Compose(
        [
            *(changes + mirror(data) if is_training else []),
            *(resize if keeps_aspect else [v2.Resize((side, side), antialias=True)]),
            v2.ClampBoundingBoxes(),
            v2.SanitizeBoundingBoxes(min_size=LEAST),
        ]
    )


def _fill_to(scene: dict[str, Any], *, side: int) -> dict[str, Any]:
    """Fills the picture on the right and below."""
    height, width = scene["image"].shape[-2:]
    edges = [0, 0, side - width, side - height]
    return {
        **scene,
        "image": v2.functional.pad(scene["image"], edges, fill=GREY),
        "boxes": v2.functional.pad(scene["boxes"], edges),
    }
