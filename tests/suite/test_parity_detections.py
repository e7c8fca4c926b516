"""Lists of detections: near-ties may change places, and nothing else may."""

from __future__ import annotations

import numpy as np
import pytest

from suite.results.export import FAILED, PASSED
from suite.spec import Tolerance
from suite.stages.export.detection_matching import aligned, moving_outputs
from suite.stages.export.parity import compare, spread_of
from suite.stages.export.rounding_errors import Answers, typical_errors

NAMES = ["boxes", "labels", "scores"]


def detections(scores, labels=(1, 1, 2)):
    boxes = np.array([[0, 0, 9, 9], [20, 20, 30, 40], [50, 5, 60, 15]], dtype=np.float32)
    return [boxes, np.array(labels), np.array(scores, dtype=np.float32)]


def rows(arrays, order):
    return [array[list(order)] for array in arrays]


def agree(reference, actual):
    other = [reference[0] + 5, reference[1], reference[2]]
    tolerance = Tolerance()
    moved = aligned(reference, actual, names=NAMES, tolerance=tolerance)
    # Scores that differ by 1e-5 tie here: eager is as far off from the judge.
    eager = [reference[0], reference[1], reference[2] + np.float32(2e-5)]
    answers = Answers(eager=eager, judge=reference, judged_by="float64")
    typical = typical_errors([answers])
    return compare(
        "example",
        None,
        answers,
        moved,
        spread_of(reference, other, names=NAMES, typical=typical, tolerance=tolerance),
        names=NAMES,
        typical=typical,
        tolerance=tolerance,
    ).verdict


def test_two_detections_with_nearly_equal_scores_may_change_places():
    eager = detections([0.9, 0.5, 0.49999])
    assert agree(eager, rows(eager, (0, 2, 1))) == PASSED


def test_detections_with_clearly_different_scores_may_not_change_their_boxes():
    eager = detections([0.9, 0.5, 0.2])
    swapped = [eager[0][[0, 2, 1]], eager[1], eager[2]]
    assert agree(eager, swapped) == FAILED


def test_a_wrong_label_is_not_mended_by_the_order():
    eager = detections([0.9, 0.5, 0.49999])
    wrong = detections([0.9, 0.5, 0.49999], labels=(1, 3, 2))
    assert agree(eager, wrong) == FAILED


def test_a_missing_detection_fails():
    eager = detections([0.9, 0.5, 0.2])
    assert agree(eager, rows(eager, (0, 1))) == FAILED


def test_one_detection_of_the_graph_stands_for_one_of_eagers_only():
    eager = detections([0.9, 0.5, 0.49999])
    assert agree(eager, rows(eager, (0, 1, 1))) == FAILED


def test_each_picture_is_aligned_by_itself():
    first, second = detections([0.9, 0.5, 0.49999]), detections([0.8, 0.7, 0.69999])
    names = [f"{name}_{i}" for i in (0, 1) for name in NAMES]
    moved = aligned(
        [*first, *second],
        [*first, *rows(second, (0, 2, 1))],
        names=names,
        tolerance=Tolerance(),
    )
    for expected, got in zip([*first, *second], moved, strict=True):
        np.testing.assert_array_equal(expected, got)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (NAMES, ["boxes"]),
        (["boxes_0", "scores_0", "labels_0", "boxes_1"], ["boxes_0", "boxes_1"]),
        (["boxes", "scores"], ["boxes", "scores"]),
        (["logits"], ["logits"]),
    ],
)
def test_of_a_list_of_detections_the_boxes_have_to_move(names, expected):
    assert moving_outputs(names) == expected
