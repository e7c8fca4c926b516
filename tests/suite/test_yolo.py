"""Our YOLO: what its heads mean in pixels, and that doubles are suppressed class by class."""

from __future__ import annotations

from typing import Any

import pytest
import torch

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def net() -> Any:
    """Three classes, narrow."""
    from suite.nets.yolo import Yolo

    torch.manual_seed(0)
    return Yolo(num_classes=3, width=4).eval()


def test_a_head_of_zeros_is_every_anchor_in_the_middle_of_every_cell(net: Any) -> None:
    boxes, scores = net.decode(torch.zeros(1, 3, 2, 2, 8), 0)
    assert boxes.shape == (1, 12, 4)
    # first anchor 81x82, first cell of 32 pixels
    assert boxes[0, 0].tolist() == pytest.approx([16 - 40.5, 16 - 41, 16 + 40.5, 16 + 41])
    # second anchor 135x169, last cell
    assert boxes[0, 7].tolist() == pytest.approx([48 - 67.5, 48 - 84.5, 48 + 67.5, 48 + 84.5])
    assert scores.unique().tolist() == [0.25]


def test_x_goes_along_the_columns(net: Any) -> None:
    boxes, _ = net.decode(torch.zeros(1, 3, 2, 3, 8), 1)
    centers = (boxes[0, :6, :2] + boxes[0, :6, 2:]) / 2
    assert centers.tolist() == [[8, 8], [24, 8], [40, 8], [8, 24], [24, 24], [40, 24]]


def test_candidates_come_from_both_grids(net: Any) -> None:
    with torch.inference_mode():
        boxes, scores = net(torch.rand(2, 3, 64, 64))
    assert boxes.shape == (2, 3 * (2 * 2 + 4 * 4), 4)
    assert scores.shape == (2, 60, 3)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_another_side_scales_the_anchors(net: Any) -> None:
    from suite.nets.yolo import Yolo

    half = Yolo(num_classes=3, width=4, anchor_scale=0.5)
    assert torch.equal(half.anchors * 2, net.anchors)


def test_doubles_are_suppressed_within_a_class_only() -> None:
    from suite.nets.yolo import detections

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    scores = torch.tensor([[0.9, 0.0], [0.8, 0.7], [0.3, 0.01]])
    found = detections(boxes, scores)
    assert found["labels"].tolist() == [1, 2, 1]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.7, 0.3])
    assert torch.equal(found["boxes"], boxes[[0, 1, 2]])


def test_no_candidate_above_the_threshold_is_no_detection() -> None:
    from suite.nets.yolo import detections

    found = detections(torch.rand(5, 4), torch.zeros(5, 2))
    assert found["boxes"].shape == (0, 4)
    assert found["labels"].shape == (0,)
