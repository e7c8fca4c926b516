"""Outputs of a graph in 8 bits: one number near zero has no signal, so outputs with few are judged over samples."""

from __future__ import annotations

import numpy as np
import pytest

from suite.results.export import SignalRow
from suite.stages.export.quantized import SAMPLES, TOGETHER, answers_alike, few_numbers, together

PICTURE, LOGITS, COUNT = np.zeros((1, 3, 8, 8), "f"), np.zeros((1, 10), "f"), np.zeros(1, np.int64)


def answers(scores, noise):
    """A score per sample, with the noise that 8 bits add; beside it a picture."""
    return [
        ([PICTURE, np.array([score], "f")], [PICTURE, np.array([score + noise * sign], "f")])
        for score, sign in zip(scores, [1, -1] * len(scores), strict=False)
    ]


def test_floating_point_outputs_with_few_numbers_are_known_by_their_place() -> None:
    assert few_numbers([PICTURE, LOGITS, COUNT, np.zeros((0,), "f")]) == (1,)


def test_scores_that_happen_to_be_near_zero_are_judged_with_those_that_are_not() -> None:
    scores = [0.01, -0.02, 0.03, *np.linspace(-1, 1, 61)]
    rows = [
        SignalRow(axis=axis, decibels=(30.0, decibels))
        for axis, decibels in (("example", -20.0), ("input", -14.0), ("batch", -10.0))
    ]
    assert not answers_alike(rows)
    many = together(answers(scores, 0.1), (1,))
    assert (many.axis, many.extent, many.decibels[0]) == (TOGETHER, SAMPLES, None)
    assert many.decibels[1] == pytest.approx(15.2, abs=0.2)
    assert answers_alike([*rows, many])


def test_many_samples_do_not_excuse_noise_nor_the_other_outputs() -> None:
    rows = [SignalRow(axis="example", decibels=(30.0, 30.0))] * 3
    assert not answers_alike([*rows, together(answers(np.linspace(-1, 1, 64), 0.5), (1,))])
    deaf = [SignalRow(axis="example", decibels=(1.0, 30.0))] * 3
    assert not answers_alike([*deaf, together(answers(np.linspace(-1, 1, 64), 0.01), (1,))])


def test_an_output_of_another_shape_has_no_ratio() -> None:
    one = ([LOGITS], [LOGITS[:, :5]])
    assert together([one, one], (0,)).decibels == (None,)
