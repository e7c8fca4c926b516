"""The model as an ONNX graph that agrees with it: saved for review, and what `onnxruntime` cells run."""

from __future__ import annotations

from suite.axes import EXPORT
from suite.results.export import PASSED


def test_export(cell, measure):
    record = measure(cell, EXPORT)
    assert record.result.parity.verdict == PASSED
    assert record.artifacts
