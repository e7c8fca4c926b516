"""Worker side. The loss of our YOLO: assignment of predictions to objects, and the loss of each prediction."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torchvision.ops import complete_box_iou_loss

from suite.nets.yolo import STRIDES
from suite.tasks.batch import Batch
from suite.tasks.outputs import must_have_outputs

IGNORED: Final = 0.7
"""IoU with an object above which an unassigned prediction has no objectness loss: `ignore_thresh` of yolov3-tiny.cfg.
"""

SHARED: Final = 0.213
"""IoU of two shapes above which an anchor that is not the nearest answers for an object too: `iou_thresh` of
yolov4.cfg. With the nearest alone, as in YOLOv3, a brief training from scratch finds less and scatters over seeds.
"""

BOX: Final = 3.0
"""Weight of the box loss relative to objectness and classes."""


def yolo_loss(module: Any, batch: Batch) -> Tensor:
    """Return the loss of boxes, objectness and classes: scalar, sum over predictions, mean over pictures.

    Redmon and Farhadi, 2018: each object is assigned the prediction of the best matching anchor in the cell of the
    object's centre; it learns box, classes and objectness 1. As in YOLOv4 (Bochkovskiy et al., 2020), so do those of
    all anchors of a similar shape. All others learn objectness 0, unless they overlap an object (IoU above 0.7). Boxes
    are compared by CIoU (Zheng et al., 2020) instead of squared error. Labels count from 1. Raise ValueError for labels
    without an output.
    """
    (images,) = batch.inputs.values()
    targets = batch.targets
    boxes = torch.cat([target["boxes"] for target in targets])
    labels = torch.cat([target["labels"] for target in targets]) - 1
    rows = torch.cat([torch.full_like(t["labels"], row) for row, t in enumerate(targets)])
    must_have_outputs(labels, module.num_classes)
    assigned = matching_anchors(boxes, module.anchors)
    num_anchors = module.anchors.shape[1]
    total = images.new_zeros(())
    for scale, raw in enumerate(module.raw(images)):
        raw = raw.float()
        decoded = module.decode(raw, scale)[0].unflatten(1, raw.shape[1:4])
        objectness = torch.zeros_like(raw[..., 4])
        counts = ~covered(decoded.detach(), boxes, rows)
        mine, anchor = assigned[:, scale * num_anchors :][:, :num_anchors].nonzero(as_tuple=True)
        if len(mine):
            place = rows[mine], anchor, *cells(boxes[mine], STRIDES[scale], raw.shape[2:4])
            total = total + BOX * complete_box_iou_loss(decoded[place], boxes[mine]).sum()
            wanted = one_hot(labels[mine], module.num_classes).float()
            total = total + _entropy(raw[place][..., 5:], wanted).sum()
            objectness[place] = 1.0
            counts[place] = True
        total = total + _entropy(raw[..., 4], objectness)[counts].sum()
    mean: Tensor = total / batch.num_samples
    return mean


def matching_anchors(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Return, for each box [objects, 4], which of the anchors [scales, per scale, 2] answer for it: [objects, anchors].

    They are the most similar one and all of a similarity above SHARED: the IoU of box and anchor with a common centre.
    """
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    shapes = anchors.flatten(0, 1)[None].to(sides)
    shared = torch.minimum(sides, shapes).prod(dim=-1)
    similarity = shared / (sides.prod(dim=-1) + shapes.prod(dim=-1) - shared)
    is_nearest = one_hot(similarity.argmax(dim=1), similarity.shape[1]).bool()
    found: Tensor = is_nearest | (similarity > SHARED)
    return found


def cells(boxes: Tensor, stride: int, grid: Any) -> tuple[Tensor, Tensor]:
    """Return row and column of the cell that contains the centre of each box [objects, 4]."""
    columns, rows = ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride).long().unbind(dim=1)
    return rows.clamp(0, grid[0] - 1), columns.clamp(0, grid[1] - 1)


def covered(decoded: Tensor, boxes: Tensor, rows: Tensor) -> Tensor:
    """Return which boxes [pictures, ..., 4] have an IoU above 0.7 with an object of their picture: [pictures, ...].

    `boxes` [objects, 4] are the objects, `rows` [objects] their pictures.
    """
    result = torch.zeros(decoded.shape[:-1], dtype=torch.bool, device=decoded.device)
    predictions = decoded.flatten(1, -2)[rows]  # [objects, predictions, 4]
    corner = torch.minimum(predictions[..., 2:], boxes[:, None, 2:])
    sides = (corner - torch.maximum(predictions[..., :2], boxes[:, None, :2])).clamp(min=0)
    shared = sides.prod(dim=-1)
    areas = (predictions[..., 2:] - predictions[..., :2]).prod(dim=-1)
    own = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1)
    on = shared > IGNORED * (areas + own[:, None] - shared)
    flat = result.flatten(1)
    # A logical `or` over each picture's objects, computed as a sum.
    flat |= torch.zeros_like(flat, dtype=torch.int32).index_add_(0, rows, on.int()) > 0
    return flat.view_as(result)


def _entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, wanted, reduction="none")
