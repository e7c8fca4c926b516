"""With every strategy, a trained model does better on a second task than one from scratch."""

from __future__ import annotations

from suite.axes import FINETUNE


def test_finetune(cell, measure):
    record = measure(cell, FINETUNE)
    assert record.result.claims
    assert record.result.trainable > 0
