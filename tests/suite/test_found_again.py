"""Lists of detections in 8 bits: which boxes are the same object."""

from __future__ import annotations

import numpy as np
import pytest

from suite.results.export import SignalRow
from suite.stages.export.detection_matching import found_again, lists_detections
from suite.stages.export.quantized import answers_alike

NAMES = ("boxes", "labels", "scores")


def detections(*rows: tuple[float, float, float, float, int]) -> list[np.ndarray]:
    """Boxes, labels, scores of rows x1, y1, x2, y2, label; best score first."""
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    labels = np.array([row[4] for row in rows], np.int64)
    return [boxes, labels, np.linspace(0.9, 0.1, len(rows), dtype=np.float32)]


ONE, TWO = (0, 0, 10, 10, 1), (20, 20, 40, 40, 1)


def test_only_a_list_with_labels_and_scores_has_an_order_without_meaning() -> None:
    assert lists_detections(NAMES)
    assert not lists_detections(("boxes", "scores"))


def test_the_order_does_not_matter() -> None:
    assert found_again(detections(ONE, TWO), detections(TWO, ONE), NAMES) == (2, 2)


def test_a_box_that_moved_by_a_pixel_is_the_same_and_one_of_another_label_is_not() -> None:
    moved, other = (1, 0, 11, 10, 1), (20, 20, 40, 40, 2)
    assert found_again(detections(ONE, TWO), detections(moved, other), NAMES) == (1, 2)


def test_one_box_is_not_found_twice() -> None:
    assert found_again(detections(ONE, ONE), detections(ONE), NAMES) == (1, 2)


@pytest.mark.parametrize("empty", [0, 1])
def test_no_boxes_are_found_in_nothing(empty: int) -> None:
    lists = [detections(ONE), detections(ONE)]
    lists[empty] = detections()
    assert found_again(*lists, NAMES)[0] == 0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"decibels": [20.0, None]}], True),
        ([{"decibels": [20.0, 2.0]}, {"decibels": [25.0, 1.0]}], False),
        ([{"decibels": [25.0]}, {"decibels": [3.0]}, {"decibels": [37.0]}], True),
        ([{"decibels": [25.0]}, {"decibels": [3.0]}, {"decibels": [-1.0]}], False),
        ([{"decibels": [float("nan")]}], False),
        ([{"decibels": [None]}], False),
        ([{"decibels": (), "found": (5, 10)}], True),
        ([{"decibels": (), "found": (4, 10)}], False),
        ([{"decibels": (), "found": (0, 0)}], False),
    ],
)
def test_a_graph_answers_alike_by_decibels_or_by_boxes_and_never_by_nothing(rows, expected) -> None:
    assert answers_alike([SignalRow(axis="example", **row) for row in rows]) is expected
