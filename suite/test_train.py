"""Every model learns its task a little: the loss falls, and the metric beats the untrained model and the baseline."""

from __future__ import annotations

from suite.axes import TRAIN


def test_train(cell, measure):
    record = measure(cell, TRAIN)
    assert record.result.claims
