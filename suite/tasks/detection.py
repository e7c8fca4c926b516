"""Worker side. Object detection: pictures with the boxes and labels of their objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from suite.data.samples import Dataset, Scene
from suite.data.sources import Source
from suite.tasks.average_precision import hits, mean_average_precision
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples
from suite.tasks.framing import scaled
from suite.tasks.letterbox import squared
from suite.tasks.outputs import must_be_finite
from suite.tasks.pictures import data_set, picture_examples

LEAST: Final = 1.0
"""Pixels: boxes thinner than this after scaling are dropped; the losses divide by their size."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return images: a list of [3, side, side] or, if `form` is "tensor", one [samples, 3, side, side]; within 0..1.

    Targets: one dictionary per picture with boxes [objects, 4] (x1, y1, x2, y2 in pixels of the square) and labels
    [objects]. Objects whose class has no output in the model are dropped; with 2 `classes` every object is labelled 1.
    Also dropped are objects whose area is below `least` x `least` pixels of the square; `least_in` names data sets with
    another limit.
    """
    found = examples(inputs, source, seed=seed, split=split)
    order = np.random.default_rng((seed, len(found))).permutation(len(found))
    chosen = [found[int(order[i % len(order)])] for i in range(num_samples)]
    side = inputs["side"]
    how = "scaled into, grey beside it," if inputs["keeps_aspect"] else "stretched to"
    data = data_set(source, split, f"{how} {side}x{side}, within 0..1")
    num_labels = int(labels_for(np.arange(len(found.data.classes)), inputs["classes"]).max()) + 1
    left_out = max(0, num_labels - inputs["classes"])
    return replace(
        collate(chosen, form=inputs["form"]),
        data=replace(data, classes_without_output=left_out),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per picture, for `DataLoader(..., collate_fn=collate_for(inputs))`."""
    least = inputs.get("least_in", {}).get(source.name, inputs.get("least", 0))
    return picture_examples(
        _boxed, _ready, {**inputs, "least": least}, source, seed=seed, split=split
    )


def collate_for(inputs: Mapping[str, Any]) -> Any:
    """Return `collate` for the input form of the model."""
    return partial(collate, form=inputs["form"])


def collate(chosen: Sequence[Example], *, form: str) -> Batch:
    """Return one batch; targets stay a list because the numbers of objects differ."""
    images = [example.inputs["images"] for example in chosen]
    return Batch(
        inputs={"images": torch.stack(images) if form == "tensor" else images},
        targets=[dict(example.targets) for example in chosen],
        num_samples=len(chosen),
    )


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the sum of the losses that torchvision's detectors compute, called as `module(images, targets)`; scalar.

    They compute losses only in train mode. A module in eval mode is put into it for the call, except its normalization
    and dropout, then restored: validation updates no statistics, and its random choice of anchors is always the same.
    Raise ValueError if the module returns no losses.
    """
    with losses_computed(module):
        losses = module(*batch.inputs.values(), batch.targets)
    if not isinstance(losses, Mapping) or not losses:
        raise ValueError(
            f"{type(module).__name__} called with pictures and targets in train mode returned"
            f" {type(losses).__name__}; expected a dictionary of losses, as torchvision's detectors return. Next:"
            ' name a loss of your own on the record, Training(loss="package.module:function")'
        )
    return torch.stack([value.float() for value in losses.values()]).sum()


def judge(outputs: Sequence[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return labels, scores and hits of all detections in the batch, and its objects' labels (`true_labels`).

    `names` are the record's outputs: boxes, labels and scores of each picture in turn, in the model's order, or boxes
    and scores of all candidates of all pictures. Raise ValueError for outputs that are not finite.
    """
    rows = []
    for found, target in zip(
        detections_of(outputs, names, batch.num_samples), batch.targets, strict=True
    ):
        true_boxes, true_labels = target["boxes"].cpu(), target["labels"].cpu()
        rows.append(hits(found["boxes"], found["labels"], found["scores"], true_boxes, true_labels))
    labels, scores, found_ = (torch.cat(column) for column in zip(*rows, strict=True))
    true = torch.cat([target["labels"].cpu() for target in batch.targets])
    return {"labels": labels, "scores": scores, "hits": found_, "true_labels": true}


def summarize(parts: Sequence[Mapping[str, Tensor]]) -> float:
    """Return the mAP at an IoU of 0.5 in % over the classes that occur, at COCO's 101 recalls (`average_precision`)."""
    labels, scores, found, true = (
        torch.cat([part[name] for part in parts])
        for name in ("labels", "scores", "hits", "true_labels")
    )
    return mean_average_precision(labels, scores, found, true)


def trivial(batches: Sequence[Batch]) -> float:
    """Return the mAP in % of predicting, in every picture, one object per class with the mean of that class's boxes.

    This is the answer of a model that has learned averages and ignores the picture. It is not the best constant answer:
    a box chosen by its hits on these pictures scores higher.
    """
    targets = [target for batch in batches for target in batch.targets]
    boxes = torch.cat([target["boxes"].cpu() for target in targets])
    labels = torch.cat([target["labels"].cpu() for target in targets])
    classes = torch.tensor(sorted(set(labels.tolist())))
    constant = [
        torch.stack([boxes[labels == label].mean(dim=0) for label in classes])
        if len(classes)
        else boxes,
        classes,
        torch.ones(len(classes)),
    ]
    names = ("boxes", "labels", "scores")
    return summarize([judge(constant * batch.num_samples, batch, names) for batch in batches])


def labels_for(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Map the data set's labels to the model's: all are 1 (object) for a model with one class besides background."""
    return np.ones_like(labels) if num_classes == 2 else labels


def _ready(sample: Scene, *, inputs: Mapping[str, Any], is_training: bool) -> Scene:
    """Return the picture at its size in the square, with its boxes and without masks."""
    del is_training
    height, width = sample.pixels.shape[:2]
    side = inputs["side"]
    rows, columns = side, side
    if inputs["keeps_aspect"]:
        long = max(height, width)
        rows, columns = max(1, side * height // long), max(1, side * width // long)
    boxes = sample.boxes * np.array((columns / width, rows / height) * 2, dtype=np.float32)
    is_large = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) >= inputs["least"] ** 2
    return replace(
        sample,
        pixels=scaled(sample.pixels, rows, columns),
        boxes=boxes[is_large],
        labels=sample.labels[is_large],
        masks=np.zeros((int(is_large.sum()), 0, 0), dtype=np.bool_),
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
    labels = labels_for(sample.labels, inputs["classes"])
    has_output = labels < inputs["classes"]
    pixels, boxes = squared(
        sample.pixels,
        torch.tensor(sample.boxes[has_output]),
        inputs["side"],
        rng if is_training else None,
        mirrors=bool(getattr(data, "keeps_label_when_mirrored", False)),
    )
    boxes = boxes.clamp(0, inputs["side"])
    holds = (boxes[:, 2:] - boxes[:, :2] >= LEAST).all(dim=1)
    return Example(
        inputs={"images": pixels},
        targets={"boxes": boxes[holds], "labels": torch.tensor(labels[has_output])[holds]},
    )


# Detections: a detector's outputs per picture, in one form for all detectors.

WHOLE: Final = ("boxes", "labels", "scores")
"""Outputs per picture of a detector with its own postprocessing; the order is the record's."""

CANDIDATES: Final = ("boxes", "scores")
"""Outputs, for all pictures at once, of a detector that leaves postprocessing to `suite.nets.yolo.detections`."""


def detections_of(
    outputs: Sequence[Tensor], names: Sequence[str], num_pictures: int
) -> Iterator[dict[str, Tensor]]:
    """Yield boxes [D, 4], labels [D] and scores [D] of each picture.

    `names` (default: boxes, labels, scores) are either one picture's outputs in order, or boxes [pictures, candidates,
    4] and scores [pictures, candidates, classes], to which non-maximum suppression is applied here. Raise ValueError
    for other names, another number of outputs, and outputs that are not finite.
    """
    from suite.nets.yolo import detections

    names = tuple(names) or WHOLE
    kinds = {tuple(sorted(kind)): kind for kind in (WHOLE, CANDIDATES)}
    kind = kinds.get(tuple(sorted(names)))
    expected = len(names) * (1 if kind == CANDIDATES else num_pictures)
    if kind is None or len(outputs) != expected:
        raise ValueError(
            f"{len(outputs)} outputs named {', '.join(names)} for {num_pictures} pictures; expected boxes, labels"
            " and scores of each picture in turn, or boxes and scores of all candidates. Next: the record's `outputs`"
        )
    must_be_finite(outputs)
    outputs = [output.cpu() for output in outputs]
    if kind == CANDIDATES:
        boxes, scores = (outputs[names.index(name)] for name in CANDIDATES)
        for row in range(num_pictures):
            yield detections(boxes[row], scores[row])
        return
    for start in range(0, expected, len(names)):
        yield dict(zip(names, outputs[start : start + len(names)], strict=True))


# Modes: losses, without side effects, of models that compute them only in train mode.

CHANGING: Final = (_NormBase, _DropoutNd)
"""Modules that behave differently in train mode: they update statistics or draw random numbers."""


@contextmanager
def losses_computed(module: nn.Module) -> Iterator[None]:
    """Put `module` into train mode within the block, for models that only then compute losses.

    A module already in train mode is left alone. Of one in eval mode, normalization and dropout stay in eval mode,
    random numbers come from a fixed seed, and every submodule's mode is restored afterwards.
    """
    if module.training:
        yield
        return
    modes = [(part, part.training) for part in module.modules()]
    devices = sorted({p.device.index or 0 for p in module.parameters() if p.is_cuda})
    for part, _ in modes:
        part.training = not isinstance(part, CHANGING)
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            yield
    finally:
        for part, mode in modes:
            part.training = mode
