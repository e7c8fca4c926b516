"""Detection: mAP against answers worked out by hand and against a slow twin, and what must not be judged."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from suite.tasks import detection
from suite.tasks.average_precision import average_precision
from suite.tasks.batch import Batch

pytestmark = pytest.mark.heavy

NAMES = ("boxes", "labels", "scores")
BOX = (0.0, 0.0, 10.0, 10.0)
FAR = (50.0, 50.0, 60.0, 60.0)


def found(rows: list[tuple[tuple[float, ...], int, float]]) -> list[Tensor]:
    """Boxes, labels and scores of one picture."""
    return [
        torch.tensor([row[0] for row in rows]).reshape(-1, 4),
        torch.tensor([row[1] for row in rows], dtype=torch.int64),
        torch.tensor([row[2] for row in rows]),
    ]


def scene(*pictures: list[tuple[tuple[float, ...], int]]) -> Batch:
    """Pictures with these objects."""
    targets = [
        {
            "boxes": torch.tensor([o[0] for o in objects]).reshape(-1, 4),
            "labels": torch.tensor([o[1] for o in objects], dtype=torch.int64),
        }
        for objects in pictures
    ]
    return Batch(
        inputs={"images": [torch.zeros(3, 64, 64) for _ in targets]},
        targets=targets,
        num_samples=len(targets),
    )


def map50(outputs: list[Tensor], batch: Batch, names: tuple[str, ...] = NAMES) -> float:
    return detection.summarize([detection.judge(outputs, batch, names)])


def test_finding_everything_and_nothing_else_is_perfect() -> None:
    batch = scene([(BOX, 1), (FAR, 2)], [(BOX, 2)], [])
    outputs = found([(BOX, 1, 0.9), (FAR, 2, 0.8)]) + found([(BOX, 2, 0.5)]) + found([])
    assert map50(outputs, batch) == pytest.approx(100)


def test_a_false_alarm_before_a_hit_halves_the_precision() -> None:
    batch = scene([(BOX, 1)])
    assert map50(found([(FAR, 1, 0.9), (BOX, 1, 0.8)]), batch) == pytest.approx(50)
    assert map50(found([(FAR, 1, 0.7), (BOX, 1, 0.8)]), batch) == pytest.approx(100)


def test_half_of_the_objects_are_fifty_one_of_the_recalls() -> None:
    batch = scene([(BOX, 1), (FAR, 1)])
    # recalls 0, 0.01 ... 0.50
    assert map50(found([(BOX, 1, 0.9)]), batch) == pytest.approx(100 * 51 / 101)


def test_a_second_detection_of_one_object_is_a_false_alarm() -> None:
    batch = scene([(BOX, 1), (FAR, 1)])
    outputs = found([(BOX, 1, 0.9), (BOX, 1, 0.8), (FAR, 1, 0.7)])
    # precision 1 up to recall 0.5 (51 recalls), then 2 of 3 (50 recalls)
    assert map50(outputs, batch) == pytest.approx(100 * (51 + 50 * 2 / 3) / 101)


def test_a_hit_needs_half_of_the_union_and_the_right_class() -> None:
    batch = scene([(BOX, 1)])
    assert map50(found([((0.0, 0.0, 10.0, 5.0), 1, 0.9)]), batch) == pytest.approx(100)
    assert map50(found([((0.0, 0.0, 10.0, 4.9), 1, 0.9)]), batch) == 0
    assert map50(found([(BOX, 2, 0.9)]), batch) == 0


def test_classes_that_do_not_occur_do_not_count() -> None:
    assert map50(found([(BOX, 1, 0.9), (FAR, 7, 0.9)]), scene([(BOX, 1)])) == pytest.approx(100)


def test_the_order_of_the_outputs_is_that_of_the_record() -> None:
    boxes, labels, scores = found([(BOX, 1, 0.9)])
    assert map50([boxes, scores, labels], scene([(BOX, 1)]), ("boxes", "scores", "labels")) == 100


def test_candidates_are_freed_of_doubles_before_they_count() -> None:
    boxes = torch.tensor([[BOX, BOX, FAR]])
    scores = torch.tensor([[[0.9], [0.8], [0.7]]])
    batch = scene([(BOX, 1), (FAR, 1)])
    assert map50([boxes, scores], batch, ("boxes", "scores")) == pytest.approx(100)


def test_outputs_of_other_names_or_number_are_refused() -> None:
    batch = scene([(BOX, 1)], [])
    with pytest.raises(ValueError, match="3 outputs named boxes, labels, scores for 2 pictures"):
        map50(found([(BOX, 1, 0.9)]), batch)
    with pytest.raises(ValueError, match="outputs named a, b"):
        map50(found([])[:2], batch, ("a", "b"))


def test_boxes_that_are_no_number_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        map50(found([((0.0, 0.0, math.nan, 1.0), 1, 0.9)]), scene([(BOX, 1)]))


def test_pictures_without_any_object_have_no_map() -> None:
    with pytest.raises(ValueError, match="no object in these pictures"):
        map50(found([(BOX, 1, 0.9)]), scene([]))


def test_the_mean_box_of_each_class_is_the_trivial_answer() -> None:
    batch = scene([(BOX, 1), (FAR, 2)], [(BOX, 1), (FAR, 2)], [(FAR, 3)], [(BOX, 3)])
    # Classes 1 and 2 always lie in one place, in the first two pictures; the mean of class 3 lies between its two.
    assert detection.trivial([batch]) == pytest.approx(200 / 3)
    assert detection.trivial([scene([(BOX, 1)], [(BOX, 1)])]) == pytest.approx(100)


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 10))
def test_average_precision_agrees_with_a_slow_twin(hits: list[bool], missed: int) -> None:
    num_objects = sum(hits) + missed
    if not num_objects:
        return
    total = 0.0
    for number in range(101):
        best = 0.0
        for end in range(1, len(hits) + 1):
            true = sum(hits[:end])
            if true / num_objects >= np.linspace(0, 1, 101)[number]:
                best = max(best, true / end)
        total += best
    result = average_precision(np.array(hits, dtype=np.bool_), num_objects)
    assert result == pytest.approx(total / 101)


def iou(a: Tensor, b: Tensor) -> float:
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    shared = float(sides.prod())
    union = float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared
    return shared / union


def slow_hits(outputs: list[Tensor], target: dict[str, Tensor]) -> list[bool]:
    boxes, labels, scores = outputs
    free = set(range(len(target["labels"])))
    result = []
    for row in sorted(range(len(scores)), key=lambda i: -float(scores[i])):
        rivals = [
            (iou(boxes[row], target["boxes"][g]), g)
            for g in free
            if target["labels"][g] == labels[row]
        ]
        best, where = max(rivals, default=(0.0, -1))
        result.append(best >= 0.5)
        if best >= 0.5:
            free.discard(where)
    return result


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_hits_agree_with_a_slow_twin(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def some(count: int) -> tuple[Tensor, Tensor]:
        corner = torch.rand(count, 2, generator=generator) * 8
        size = torch.rand(count, 2, generator=generator) * 10 + 4
        labels = torch.randint(1, 3, (count,), generator=generator)
        return torch.cat((corner, corner + size), dim=1), labels

    (boxes, labels), (true_boxes, true_labels) = some(seed % 9), some(seed % 5 + 1)
    scores = torch.rand(len(boxes), generator=generator)
    target = {"boxes": true_boxes, "labels": true_labels}
    batch = Batch(inputs={}, targets=[target], num_samples=1)
    part = detection.judge([boxes, labels, scores], batch, NAMES)
    assert part["hits"].tolist() == slow_hits([boxes, labels, scores], target)


def test_every_object_is_one_for_a_detector_of_one_class_and_small_ones_are_left_out() -> None:
    from suite.data.sources import Source

    inputs = {"side": 128, "classes": 2, "form": "list", "keeps_aspect": True}
    source = Source(kind="scene", name="scenes")
    given_ = {"num_samples": 8, "seed": 0, "split": "test"}
    whole = detection.batch(inputs, source, **given_)
    assert {int(label) for t in whole.targets for label in t["labels"]} == {1}
    assert whole.data.classes_without_output == 0
    large = detection.batch({**inputs, "least": 20}, source, **given_)
    kept = [t["boxes"] for t in large.targets]
    assert 0 < sum(map(len, kept)) < sum(len(t["boxes"]) for t in whole.targets)
    assert all(((b[:, 2:] - b[:, :2]).prod(dim=1) >= 400).all() for b in kept)
