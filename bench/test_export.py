"""The model as an ONNX graph that agrees with it: saved for review, and what `onnxruntime` cells run."""

from __future__ import annotations

from suite.axes import EXPORT


def test_export(cell, measure):
    record = measure(cell, EXPORT)
    assert record.result.parity or record.result.claims  # an 8-bit graph is judged by claims
    assert record.artifacts
