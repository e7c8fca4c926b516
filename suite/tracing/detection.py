"""Worker side. Tracing of torchvision's detectors: non-maximum suppression without a data-dependent branch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices of the kept boxes, best score first: torchvision's coordinate trick without its test for
    emptiness.

    Boxes of class i are shifted by i times the largest coordinate, so that no two classes overlap. The appended zero
    makes the maximum exist without boxes.
    """
    import torch

    largest = torch.cat([boxes.reshape(-1), boxes.new_zeros(1)]).max()
    offsets = idxs.to(boxes) * (largest + 1)
    kept: Tensor = torch.ops.torchvision.nms(boxes + offsets[:, None], scores, iou_threshold)
    return kept


@contextmanager
def symbolic_lengths() -> Iterator[None]:
    """Within the block, make torchvision's RoI pooling treat the number of boxes as symbolic.

    It calls `len(rois)`, which has to return a number, while the traced tensor's shape is still unknown.
    """
    import torch
    from torchvision.ops import poolers

    def length(of: Any) -> Any:
        return of.shape[0] if isinstance(of, torch.Tensor) else len(of)

    vars(poolers)["len"] = length
    try:
        yield
    finally:
        del vars(poolers)["len"]


@contextmanager
def branch_free_decoding() -> Iterator[None]:
    """Within the block, make torchvision's box coder reshape its boxes without testing whether there are any.

    torch.export of PyTorch 2.11 cannot resolve this test; that of 2.15 can.
    """
    import torch
    from torchvision.models.detection._utils import BoxCoder

    original = BoxCoder.decode

    def decode(self: Any, rel_codes: Tensor, boxes: list[Tensor]) -> Tensor:
        num_boxes, width = rel_codes.shape
        found: Tensor = self.decode_single(rel_codes, torch.cat(boxes))
        return found.reshape(num_boxes, width // 4, 4)

    BoxCoder.decode = decode
    try:
        yield
    finally:
        BoxCoder.decode = original


@contextmanager
def branch_free_nms() -> Iterator[None]:
    """Within the block, make torchvision's models use this module's `batched_nms`."""
    import torchvision.ops as ops

    held = [(place, place.batched_nms) for place in (ops, ops.boxes)]
    for place, _ in held:
        place.batched_nms = batched_nms
    try:
        yield
    finally:
        for place, original in held:
            place.batched_nms = original
