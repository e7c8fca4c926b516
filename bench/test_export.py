"""The model as an ONNX graph that agrees with it: saved for review, and what `onnxruntime` cells run."""

from __future__ import annotations


def test_export(cell, measure):
    record = measure(cell, "export")
    assert record.facts["parity"]["verdict"] == "passed"
    assert record.artifacts
