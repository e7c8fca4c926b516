"""Worker side. A one-stage detector after YOLOv3-tiny: network, decoding of its two heads, non-maximum suppression."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

ANCHORS: Final = (((81, 82), (135, 169), (344, 319)), ((10, 14), (23, 27), (37, 58)))
"""Width and height in pixels of the published anchors: three for the coarse head, three for the fine one."""

STRIDES: Final = (32, 16)
"""Pixels per cell of each head's grid."""

ANCHOR_SIDE: Final = 416
"""Side of the pictures for which the anchors were chosen; they scale with the side."""


def convolution(num_in: int, num_out: int, kernel: int) -> nn.Sequential:
    """Return Darknet's building block: convolution that keeps the side, batch normalization, leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(num_out),
        nn.LeakyReLU(0.1),
    )


class Yolo(nn.Module):
    """YOLOv3-tiny (Redmon and Farhadi, 2018) with its width and number of classes as arguments."""

    anchors: Tensor

    def __init__(self, *, num_classes: int, width: int = 16, anchor_scale: float = 1.0) -> None:
        super().__init__()
        w = width
        self.num_classes = num_classes
        self.register_buffer("anchors", torch.tensor(ANCHORS) * anchor_scale, persistent=False)
        stages: list[nn.Module] = [convolution(3, w, 3)]
        for power in range(4):
            stages += [nn.MaxPool2d(2), convolution(w << power, w << (power + 1), 3)]
        self.fine = nn.Sequential(*stages)
        self.coarse = nn.Sequential(
            nn.MaxPool2d(2),
            convolution(16 * w, 32 * w, 3),
            # Darknet pools 2x2 at stride 1, padding right and below with the smallest number to
            # keep the side. Zeros would differ: ONNX Runtime 1.30 folds any padding into the
            # pooling as -inf.
            nn.ConstantPad2d((0, 1, 0, 1), float("-inf")),
            nn.MaxPool2d(2, 1),
            convolution(32 * w, 64 * w, 3),
            convolution(64 * w, 16 * w, 1),
        )
        self.lift = nn.Sequential(convolution(16 * w, 8 * w, 1), nn.Upsample(scale_factor=2))
        num_out = len(ANCHORS[0]) * (5 + num_classes)
        self.heads = nn.ModuleList(
            (
                nn.Sequential(convolution(16 * w, 32 * w, 3), nn.Conv2d(32 * w, num_out, 1)),
                nn.Sequential(convolution(24 * w, 16 * w, 3), nn.Conv2d(16 * w, num_out, 1)),
            )
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # Before training, batch normalization is the identity in evaluation mode: without
                # variance-preserving weights, the predictions would be the same for every picture.
                nn.init.kaiming_normal_(module.weight, a=0.1)

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs of the two heads: [N, 3, grid, grid, 5 + classes], coarse grid first.

        The last axis holds x, y, width, height, objectness and the classes in the form the loss needs: logits of the
        position within a cell, logarithms of the size in anchors, logits of the rest.
        """
        fine = self.fine(images)
        coarse = self.coarse(fine)
        merged = torch.cat((self.lift(coarse), fine), dim=1)
        first, second = (
            head(features).unflatten(1, (len(ANCHORS[0]), 5 + self.num_classes)).movedim(2, -1)
            for head, features in zip(self.heads, (coarse, merged), strict=True)
        )
        return first, second

    def decode(self, raw: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """Return head `scale` (0, 1) as boxes [N, cells, 4] (x1, y1, x2, y2 in pixels), scores [N, cells, classes]."""
        rows, columns = raw.shape[2], raw.shape[3]
        y = torch.arange(rows, device=raw.device, dtype=raw.dtype).view(1, 1, rows, 1)
        x = torch.arange(columns, device=raw.device, dtype=raw.dtype).view(1, 1, 1, columns)
        stride = STRIDES[scale]
        sides = self.anchors[scale].to(raw.dtype).view(1, -1, 1, 1, 2)
        center_x = (raw[..., 0].sigmoid() + x) * stride
        center_y = (raw[..., 1].sigmoid() + y) * stride
        # exp() of an untrained head can overflow; e**4 = 55 anchors exceeds any picture
        half = raw[..., 2:4].clamp(max=4.0).exp() * sides / 2
        boxes = torch.stack(
            (
                center_x - half[..., 0],
                center_y - half[..., 1],
                center_x + half[..., 0],
                center_y + half[..., 1],
            ),
            dim=-1,
        )
        scores = raw[..., 4:5].sigmoid() * raw[..., 5:].sigmoid()
        return boxes.flatten(1, 3), scores.flatten(1, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes [N, candidates, 4] and scores [N, candidates, classes] of pictures [N, 3, side, side].

        The side is a multiple of 32. Non-maximum suppression is separate (see `detections`): its number of boxes
        depends on the values, which an exported graph with fixed shapes cannot express.
        """
        boxes, scores = zip(
            *(self.decode(raw, scale) for scale, raw in enumerate(self.raw(images))), strict=True
        )
        return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


def detections(
    boxes: Tensor,
    scores: Tensor,
    *,
    score_threshold: float = 0.05,
    iou_threshold: float = 0.45,
    limit: int = 100,
) -> dict[str, Tensor]:
    """Return the detections of one picture: boxes [M, 4], labels [M] from 1 and scores [M], best first, M <= `limit`.

    `boxes` [candidates, 4] and `scores` [candidates, classes] are one picture's part of `Yolo.forward`; the result has
    the form of torchvision's detectors.
    """
    rows, classes = (scores > score_threshold).nonzero(as_tuple=True)
    kept = batched_nms(boxes[rows], scores[rows, classes], classes, iou_threshold)[:limit]
    return {
        "boxes": boxes[rows[kept]],
        "labels": classes[kept] + 1,
        "scores": scores[rows[kept], classes[kept]],
    }
