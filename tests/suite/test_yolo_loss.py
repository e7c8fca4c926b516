"""The loss of our YOLO: who answers for an object, who is left alone, and that it can be learned."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from suite.tasks.batch import Batch

pytestmark = pytest.mark.heavy


class Heads:
    """A YOLO whose heads say what they are told: pictures of 64, grids of 2 and 4."""

    num_classes = 2

    def __init__(self, coarse: Tensor, fine: Tensor) -> None:
        from suite.nets.yolo import Yolo

        net = Yolo(num_classes=2, width=4)
        self.anchors, self.decode = net.anchors, net.decode
        self._heads = coarse, fine

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._heads


def heads(value: float = 0.0) -> tuple[Tensor, Tensor]:
    return torch.full((1, 3, 2, 2, 7), value), torch.full((1, 3, 4, 4, 7), value)


def scene(*objects: tuple[tuple[float, ...], int]) -> Batch:
    target = {
        "boxes": torch.tensor([o[0] for o in objects]).reshape(-1, 4),
        "labels": torch.tensor([o[1] for o in objects], dtype=torch.int64),
    }
    return Batch(inputs={"images": torch.zeros(1, 3, 64, 64)}, targets=[target], num_samples=1)


def around(x: float, y: float, wide: float, tall: float) -> tuple[float, ...]:
    return (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)


def test_the_anchor_of_the_nearest_shape_answers_and_those_that_are_like_the_object() -> None:
    from suite.nets.yolo import Yolo
    from suite.tasks.yolo_loss import matching_anchors

    anchors = Yolo(num_classes=1, width=4).anchors
    boxes = torch.tensor([around(30, 30, 10, 14), around(9, 9, 300, 330), around(5, 5, 36, 60)])
    # A thin object is like none of them: the nearest answers alone.
    boxes = torch.cat((boxes, torch.tensor([around(50, 50, 2, 90)])))
    found = [row.nonzero().flatten().tolist() for row in matching_anchors(boxes, anchors)]
    assert found == [[3, 4], [1, 2], [0, 4, 5], [3]]
    assert matching_anchors(boxes[:0], anchors).shape == (0, 6)


def test_the_cell_that_holds_the_centre_answers_and_the_border_belongs_to_the_last() -> None:
    from suite.tasks.yolo_loss import cells

    rows, columns = cells(torch.tensor([around(40, 20, 9, 9), around(64, 64, 2, 2)]), 16, (4, 4))
    assert (rows.tolist(), columns.tolist()) == ([1, 3], [2, 3])


def test_without_objects_every_prediction_learns_that_it_is_none() -> None:
    from suite.tasks.yolo_loss import yolo_loss

    found = yolo_loss(Heads(*heads()), scene())
    assert float(found) == pytest.approx((12 + 48) * math.log(2))


def test_a_perfect_answer_costs_nothing() -> None:
    from suite.tasks.yolo_loss import yolo_loss

    coarse, fine = heads(-20.0)
    # The object has the shape of the second fine anchor, is like the other two, and lies in the middle of the cell
    # (row 1, column 2).
    for number, (wide, tall) in enumerate(((10, 14), (23, 27), (37, 58))):
        size = (math.log(23 / wide), math.log(27 / tall))
        fine[0, number, 1, 2] = torch.tensor([0.0, 0.0, *size, 20.0, -20.0, 20.0])
    batch = scene((around(40, 24, 23, 27), 2))
    assert float(yolo_loss(Heads(coarse, fine), batch)) == pytest.approx(0, abs=1e-4)
    wrong_class = fine.clone()
    wrong_class[0, :, 1, 2, 5:] = torch.tensor([20.0, -20.0])
    assert float(yolo_loss(Heads(coarse, wrong_class), batch)) > 30


def test_a_prediction_that_lies_on_an_object_is_not_told_to_be_none() -> None:
    from suite.tasks.yolo_loss import covered

    boxes = torch.tensor([around(20, 20, 10, 10)])
    predictions = torch.tensor(
        [[around(20, 20, 10, 10), around(40, 40, 10, 10)], [around(20, 20, 10, 10)] * 2]
    )
    found = covered(predictions, boxes, torch.tensor([0]))
    # the object is on the first picture alone
    assert found.tolist() == [[True, False], [False, False]]


def test_several_objects_of_one_picture_cover_each_their_own() -> None:
    from suite.tasks.yolo_loss import covered

    boxes = torch.tensor([around(20, 20, 10, 10), around(40, 40, 10, 10)])
    found = covered(boxes[None], boxes, torch.tensor([0, 0]))
    assert found.tolist() == [[True, True]]


def test_a_label_beyond_the_classes_is_refused() -> None:
    from suite.tasks.yolo_loss import yolo_loss

    with pytest.raises(ValueError, match="label 2 for a model with 2 outputs"):
        yolo_loss(Heads(*heads()), scene((around(20, 20, 9, 9), 3)))


def test_one_picture_is_learned_until_its_objects_are_found() -> None:
    from suite.nets.yolo import Yolo, detections
    from suite.tasks.yolo_loss import yolo_loss

    torch.manual_seed(0)
    net: Any = Yolo(num_classes=2, width=4, anchor_scale=64 / 416)
    batch = scene((around(16, 20, 12, 14), 1), (around(44, 40, 20, 24), 2))
    batch.inputs["images"].normal_(generator=torch.Generator().manual_seed(0))
    batch = Batch(
        inputs={"images": batch.inputs["images"].repeat(2, 1, 1, 1)},
        targets=batch.targets * 2,
        num_samples=2,
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(180):
        optimizer.zero_grad()
        yolo_loss(net, batch).backward()
        optimizer.step()
    with torch.no_grad():
        boxes, scores = net(batch.inputs["images"])
    found = detections(boxes[0], scores[0], score_threshold=0.5)
    assert set(found["labels"].tolist()) == {1, 2}
    for box, label in zip(*batch.targets[0].values(), strict=True):
        assert float(box_iou(found["boxes"][found["labels"] == label], box[None]).max()) > 0.5
